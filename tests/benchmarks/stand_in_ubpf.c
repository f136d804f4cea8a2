/* A library with the calls of ubpf's that the benchmark makes (vm/inc/ubpf.h), for machines without ubpf: the instructions of the
 * benchmark's programs, run one by one by both calls. What it takes says nothing about ubpf.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct insn {
	uint8_t code, registers;
	int16_t offset;
	int32_t imm;
};

struct ubpf_vm {
	struct insn *insns;
};

static struct ubpf_vm *compiled;

struct ubpf_vm *ubpf_create(void)
{
	return calloc(1, sizeof(struct ubpf_vm));
}

void ubpf_destroy(struct ubpf_vm *vm)
{
	free(vm->insns);
	free(vm);
}

int ubpf_load(struct ubpf_vm *vm, const void *code, uint32_t size, char **error)
{
	if (size % sizeof(struct insn)) {
		*error = strdup("half an instruction");
		return -1;
	}
	vm->insns = malloc(size);
	memcpy(vm->insns, code, size);
	return 0;
}

int ubpf_exec(const struct ubpf_vm *vm, void *memory, size_t length, uint64_t *result)
{
	uint64_t r[16] = {0, (uint64_t)memory};
	const struct insn *i = vm->insns;

	for (;; i++) {
		uint64_t *d = &r[i->registers & 15], s = r[i->registers >> 4];
		uint64_t at = (i->code & 7) == 1 ? s : *d;

		if ((i->code & 7) == 1 || (i->code & 7) == 3) {
			at += i->offset;
			if (at < (uint64_t)memory || at + 8 > (uint64_t)memory + length)
				return -1;
		}
		switch (i->code) {
		case 0x07: *d += (int64_t)i->imm; break;
		case 0x0f: *d += s; break;
		case 0x27: *d *= (int64_t)i->imm; break;
		case 0x57: *d &= (int64_t)i->imm; break;
		case 0x67: *d <<= i->imm; break;
		case 0x77: *d >>= i->imm; break;
		case 0xaf: *d ^= s; break;
		case 0xb7: *d = (int64_t)i->imm; break;
		case 0xbf: *d = s; break;
		case 0x61: *d = *(uint32_t *)at; break;
		case 0x69: *d = *(uint16_t *)at; break;
		case 0x71: *d = *(uint8_t *)at; break;
		case 0x79: *d = *(uint64_t *)at; break;
		case 0x6b: *(uint16_t *)at = s; break;
		case 0x7b: *(uint64_t *)at = s; break;
		case 0x15: if (*d == (uint64_t)(int64_t)i->imm) i += i->offset; break;
		case 0x55: if (*d != (uint64_t)(int64_t)i->imm) i += i->offset; break;
		case 0x2d: if (*d > s) i += i->offset; break;
		case 0x95: *result = r[0]; return 0;
		default: return -1;
		}
	}
}

static uint64_t run(void *memory, size_t length)
{
	uint64_t result = ~0;

	ubpf_exec(compiled, memory, length, &result);
	return result;
}

uint64_t (*ubpf_compile(struct ubpf_vm *vm, char **error))(void *, size_t)
{
	compiled = vm;
	return run;
}
