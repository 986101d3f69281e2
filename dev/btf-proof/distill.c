// Has libbpf, from 1.5 on, make .BTF.base of modules' types, and match them with a kernel's, as the kernel does on loading.
//
//   distill KERNEL.btf OTHER-KERNEL.btf FOLDER MODULE.ko...
//
// Module number N was built for KERNEL: FOLDER/N.split and N.base are its distilled types, N.relocated its types on top of
// OTHER-KERNEL's, which isn't written if they don't fit. Prints a line for each module: "fits" or "doesn't fit".
#include <stdio.h>
#include <stdlib.h>

// libbpf's own declarations: its headers needn't be installed
struct btf;
struct btf *btf__parse_raw(const char *path);
struct btf *btf__parse_elf_split(const char *path, struct btf *base);
struct btf *btf__new_split(const void *data, unsigned int size, struct btf *base);
const void *btf__raw_data(const struct btf *btf, unsigned int *size);
int btf__distill_base(const struct btf *split, struct btf **new_base, struct btf **new_split);
int btf__relocate(struct btf *btf, const struct btf *base);
void btf__free(struct btf *btf);

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void save(const char *folder, int number, const char *part, const struct btf *btf)
{
	char path[4096];
	unsigned int size;
	const void *data = btf__raw_data(btf, &size);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d.%s", folder, number, part);
	file = fopen(path, "w");
	if (!data || !file || fwrite(data, 1, size, file) != size || fclose(file))
		fail(path);
}

int main(int count, char **words)
{
	struct btf *kernel, *other;
	int i;

	if (count < 5)
		return 2;
	kernel = btf__parse_raw(words[1]);
	other = btf__parse_raw(words[2]);
	if (!kernel || !other)
		fail("the kernels' types");
	for (i = 4; i < count; i++) {
		struct btf *split = btf__parse_elf_split(words[i], kernel), *new_base, *new_split;
		int fits;

		if (!split || btf__distill_base(split, &new_base, &new_split))
			fail(words[i]);
		save(words[3], i - 4, "base", new_base);
		save(words[3], i - 4, "split", new_split);
		btf__free(new_split);
		btf__free(new_base);
		// anew, because saved bytes are kept, and relocation doesn't reach them
		if (btf__distill_base(split, &new_base, &new_split))
			fail(words[i]);
		fits = btf__relocate(new_split, other) == 0;
		if (fits)
			save(words[3], i - 4, "relocated", new_split);
		printf(fits ? "fits\n" : "doesn't fit\n");
		btf__free(new_split);
		btf__free(new_base);
		btf__free(split);
	}
	return 0;
}
