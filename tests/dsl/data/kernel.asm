; What the kernel does with programs like those that the cases of errors.test would be, were they compiled. Each says how it ends:
;   refused WORDS    the verifier refuses it, and says these words; after ` | ` those that older kernels say (Linux before 6.10)
;   verdict NUMBER   it is loaded on a route, and returns this for a packet
;   lost             it is loaded on a route, and the packet never leaves it
;   corrupts         it is loaded on a route, and the packet leaves with an outer source that is no address of the router's
; and, where it is not lwt_seg6local under GPL with an SRv6 packet, `type`, `license` and `packet`.

[program packet pointer after adjust_srh]
; refused R7 invalid mem access 'scalar'
r7 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r7
r4 += 48
if r4 > r3 goto short
r2 = 80
r3 = 8
call lwt_seg6_adjust_srh
r0 = *(u8 *)(r7 + 46)
short:
r0 = 0
exit

[program packet pointer of the iteration before]
; refused R7 invalid mem access 'scalar'
r6 = r1
r8 = 2
r7 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r7
r4 += 48
if r4 > r3 goto out
again:
r0 = *(u8 *)(r7 + 46)
r1 = r6
r2 = 80
r3 = 8
call lwt_seg6_adjust_srh
r8 += -1
if r8 != 0 goto again
out:
r0 = 0
exit

[program packet pointer after seg6_action]
; refused R7 invalid mem access 'scalar'
r7 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r7
r4 += 48
if r4 > r3 goto short
r2 = 254
*(u32 *)(r10 - 4) = r2
r2 = 7
r3 = r10
r3 += -4
r4 = 4
call lwt_seg6_action
r0 = *(u8 *)(r7 + 46)
short:
r0 = 0
exit

[program packet pointer after push_encap]
; type lwt_in
; refused R7 invalid mem access 'scalar'
r7 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r7
r4 += 40
if r4 > r3 goto short
r2 = 0
*(u64 *)(r10 - 24) = r2
*(u64 *)(r10 - 16) = r2
*(u64 *)(r10 - 8) = r2
r2 = 0
r3 = r10
r3 += -24
r4 = 24
call lwt_push_encap
r0 = *(u8 *)(r7 + 7)
short:
r0 = 0
exit

; Counts in an entry that was deleted: the count is gone.
[program entry after its deletion]
; verdict 2
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = 0
*(u32 *)(r10 - 8) = r1
r1 = map[hash]
r2 = r10
r2 += -4
r3 = r10
r3 += -8
r4 = 0
call map_update_elem
r1 = map[hash]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r7 = r0
r1 = map[hash]
r2 = r10
r2 += -4
call map_delete_elem
r1 = 1
*(u32 *)(r7 + 0) = r1
r1 = map[hash]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 != 0 goto out
r0 = 2
exit
out:
r0 = 0
exit

; Counts in an entry that was replaced: the new one has no such count.
[program entry after its replacement]
; verdict 2
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = 0
*(u32 *)(r10 - 8) = r1
r1 = map[hash]
r2 = r10
r2 += -4
r3 = r10
r3 += -8
r4 = 0
call map_update_elem
r1 = map[hash]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r7 = r0
r1 = map[hash]
r2 = r10
r2 += -4
r3 = r10
r3 += -8
r4 = 0
call map_update_elem
r1 = 1
*(u32 *)(r7 + 0) = r1
r1 = map[hash]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r0 = *(u32 *)(r0 + 0)
if r0 != 0 goto out
r0 = 2
exit
out:
r0 = 0
exit

[program value of a look-up that may miss]
; refused R0 invalid mem access 'map_value_or_null'
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = map[hash]
r2 = r10
r2 += -4
call map_lookup_elem
r0 = *(u32 *)(r0 + 0)
exit

; Takes the 0 that it found for a key that is missing, and drops.
[program a value of 0 that was found]
; verdict 2
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = map[array]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto missing
r0 = *(u32 *)(r0 + 0)
if r0 != 0 goto found
missing:
r0 = 2
exit
found:
r0 = 0
exit

[program byte that may be past the packet]
; refused invalid access to packet
r2 = *(u32 *)(r1 + 76)
r0 = *(u8 *)(r2 + 46)
exit

; Stores at segments_left, which is before what may be written: -EFAULT.
[program store to segments_left]
; verdict 2
r2 = 1
*(u8 *)(r10 - 1) = r2
r2 = 43
r3 = r10
r3 += -1
r4 = 1
call lwt_seg6_store_bytes
if r0 == -14 goto refused
r0 = 0
exit
refused:
r0 = 2
exit

[program direct write to the packet]
; refused cannot write into packet
r2 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r2
r4 += 40
if r4 > r3 goto short
*(u8 *)(r2 + 7) = 1
short:
r0 = 0
exit

[program write to a context field]
; refused invalid bpf_context access off=0 size=4
r2 = 3
*(u32 *)(r1 + 0) = r2
r0 = 0
exit

[program write to rodata]
; refused write into map forbidden
r1 = map[.rodata]+0
r2 = 3
*(u32 *)(r1 + 0) = r2
r0 = 0
exit

[program a context field of other hooks]
; refused invalid bpf_context access off=152 size=8
r0 = *(u64 *)(r1 + 152)
r0 = 0
exit

[program a verdict of other hooks in seg6local]
; lost
r0 = 128
exit

; lwt_out knows no 128, and takes it for OK: the packet goes by its old route.
[program REROUTE in lwt_out]
; type lwt_out
; verdict 128
r0 = 128
exit

; lwt_in knows no 7, warns, and takes it for OK.
[program REDIRECT in lwt_in]
; type lwt_in
; verdict 7
r0 = 7
exit

[program a helper of other hooks]
; refused program of this type cannot use helper bpf_skb_change_head | unknown func bpf_skb_change_head
r2 = 14
r3 = 0
call skb_change_head
r0 = 0
exit

[program push_encap in lwt_out]
; type lwt_out
; refused program of this type cannot use helper bpf_lwt_push_encap | unknown func bpf_lwt_push_encap
r2 = 2
r3 = r10
r3 += -24
r4 = 24
call lwt_push_encap
r0 = 0
exit

[program seg6_action in lwt_in]
; type lwt_in
; refused program of this type cannot use helper bpf_lwt_seg6_action | unknown func bpf_lwt_seg6_action
r2 = 3
r3 = r10
r3 += -4
r4 = 4
call lwt_seg6_action
r0 = 0
exit

[program adjust_srh in lwt_in]
; type lwt_in
; refused program of this type cannot use helper bpf_lwt_seg6_adjust_srh | unknown func bpf_lwt_seg6_adjust_srh
r2 = 80
r3 = 8
call lwt_seg6_adjust_srh
r0 = 0
exit

; lwt_xmit's helper takes headers of IP alone: -EINVAL.
[program SEG6 encapsulation in lwt_xmit]
; type lwt_xmit
; verdict 2
r2 = 0
*(u64 *)(r10 - 24) = r2
*(u64 *)(r10 - 16) = r2
*(u64 *)(r10 - 8) = r2
r3 = r10
r3 += -24
r4 = 24
call lwt_push_encap
if r0 == -22 goto refused
r0 = 0
exit
refused:
r0 = 2
exit

; The packet is still one of IPv4 to the kernel, which takes a hop off where IPv4 has it: in the outer header's source.
[program SEG6 encapsulation of IPv4]
; type lwt_in
; packet ipv4
; corrupts
r2 = 0x0000000000040229 ll
*(u64 *)(r10 - 24) = r2
r2 = 0x000000000c0000fc ll
*(u64 *)(r10 - 16) = r2
r2 = 0x0100000000000000 ll
*(u64 *)(r10 - 8) = r2
r2 = 0
r3 = r10
r3 += -24
r4 = 24
call lwt_push_encap
if r0 == 0 goto done
r0 = 2
done:
exit

; An SRH cannot be inserted into IPv4: -EBADMSG.
[program SEG6 insertion into IPv4]
; type lwt_in
; packet ipv4
; verdict 2
r2 = 0x0000000000040229 ll
*(u64 *)(r10 - 24) = r2
r2 = 0x000000000c0000fc ll
*(u64 *)(r10 - 16) = r2
r2 = 0x0100000000000000 ll
*(u64 *)(r10 - 8) = r2
r2 = 1
r3 = r10
r3 += -24
r4 = 24
call lwt_push_encap
if r0 == -74 goto refused
r0 = 0
exit
refused:
r0 = 2
exit

; Every index of an array is there, so what is done for a missing one never runs.
[program an array's missing index]
; verdict 0
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = map[array]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto missing
r0 = 0
exit
missing:
r0 = 2
exit

; -EINVAL.
[program deletion from an array]
; verdict 2
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = map[array]
r2 = r10
r2 += -4
call map_delete_elem
r0 <<= 32  # before Linux 6.4 errors of maps have 32 bits
r0 s>>= 32
if r0 == -22 goto refused
r0 = 0
exit
refused:
r0 = 2
exit

[program a GPL helper under another license]
; license MIT
; refused cannot call GPL-restricted function from non-GPL compatible program
r1 = 1
call task_pt_regs
r0 = 0
exit

[program loop as long as the packet]
; refused The sequence of 8193 jumps is too complex
r2 = *(u32 *)(r1 + 0)
r3 = 0
again:
if r3 >= r2 goto out
r3 += 1
goto again
out:
r0 = 0
exit

[program loop as long as a value says]
; refused The sequence of 8193 jumps is too complex
r1 = 1
*(u32 *)(r10 - 4) = r1
r1 = map[array]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r2 = *(u32 *)(r0 + 0)
r3 = 0
again:
if r3 >= r2 goto out
r3 += 1
goto again
out:
r0 = 0
exit

[program loop with a step of 0]
; refused infinite loop detected
r3 = 0
again:
r3 += 0
if r3 < 16 goto again
r0 = 0
exit

[program loop of a million]
; refused BPF program is too large
r3 = 0
again:
r3 += 1
r4 = r3  # and 255 more of these
if r3 < 1000000 goto again
r0 = 0
exit

[program loops in loops]
; refused The sequence of 8193 jumps is too complex
r6 = r1
r7 = 0
outer:
r8 = 0
inner:
call get_prandom_u32
if r0 == r8 goto skip
r7 += 0
skip:
r8 += 1
if r8 < 2000 goto inner
r7 += 1
if r7 < 2000 goto outer
r0 = 0
exit

[program store below the stack]
; refused invalid write to stack R10 off=-520 size=8
r2 = 0
*(u64 *)(r10 - 520) = r2
r0 = 0
exit

[program record that is not submitted]
; refused Unreleased reference
r1 = map[events]
r2 = 8
r3 = 0
call ringbuf_reserve
r0 = 0
exit

[program record after its submission]
; refused R6 invalid mem access 'scalar'
r1 = map[events]
r2 = 8
r3 = 0
call ringbuf_reserve
if r0 == 0 goto full
r6 = r0
r1 = r0
r2 = 0
call ringbuf_submit
r1 = 1
*(u64 *)(r6 + 0) = r1
full:
r0 = 0
exit

[program record of a buffer that may be full]
; refused R0 invalid mem access 'ringbuf_mem_or_null' | R0 invalid mem access 'alloc_mem_or_null'
r1 = map[events]
r2 = 8
r3 = 0
call ringbuf_reserve
r1 = 1
*(u64 *)(r0 + 0) = r1
r0 = 0
exit

[program ring buffer's helper on another map]
; refused cannot pass map_type 4 into func bpf_ringbuf_reserve
r1 = map[samples]
r2 = 8
r3 = 0
call ringbuf_reserve
r0 = 0
exit

; What an empty queue gives is a 0 that nobody put there, and -ENOENT.
[program value of an empty queue]
; verdict 2
r2 = 7
*(u32 *)(r10 - 4) = r2
r1 = map[queue]
r2 = r10
r2 += -4
call map_pop_elem
r0 = *(u32 *)(r10 - 4)
if r0 == 0 goto empty
r0 = 0
exit
empty:
r0 = 2
exit
