/* The SRH as the functions of the End.BPF paper take it: right behind the IPv6 header, nothing between. */
#ifndef PYBPFNF_FIXED_H
#define PYBPFNF_FIXED_H

#include "../seg6.h"

#define NEXTHDR_OFFSET 6 /* in the IPv6 header */

/* The SRH, its 8 fixed bytes in the packet; null where something else follows the IPv6 header. */
static inline __attribute__((always_inline)) struct ipv6_sr_hdr *srh_behind_ipv6(struct __sk_buff *skb)
{
	u8 *data = data_of(skb);
	struct ipv6_sr_hdr *srh = (void *)(data + IPV6_HDR_LEN);

	if ((void *)(srh + 1) > end_of(skb) || data[NEXTHDR_OFFSET] != NEXTHDR_ROUTING || srh->type != SRCRT_TYPE_4)
		return 0;
	return srh;
}

#endif
