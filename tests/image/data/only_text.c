/* No program: a function whose section says nothing. */
#include "bpf.h"

int function(struct __sk_buff *skb)
{
	return skb->len;
}
