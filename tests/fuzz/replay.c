/* Runs a fuzz target over the files of its corpus, and over each file cut short, without a fuzzer. Prints TAP. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX ((size_t)4 << 20)

/* Each try gets a block of exactly its size, so that a sanitizer sees a read behind the end. */
static void replay_try(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay_file(const char *path, uint8_t *space)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return -errno;
	n = fread(space, 1, FILE_MAX, f);
	(void)fclose(f);
	replay_try(space, n);
	for (size_t cut = 1; cut < 64 && cut < n; cut++) {
		replay_try(space, n - cut);
		replay_try(space, n * cut / 64);
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint8_t *space = calloc(1, FILE_MAX);
	struct dirent **names = NULL;
	int n = argc > 1 ? scandir(argv[1], &names, NULL, alphasort) : 0;
	int count = 1;

	if (!space)
		abort();
	replay_try(space, 0);
	printf("ok 1 - nothing at all\n");
	for (int i = 0; i < n; i++) {
		char path[4096];

		if (names[i]->d_name[0] != '.') {
			(void)snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
			printf("%s %d - %s\n", replay_file(path, space) == 0 ? "ok" : "not ok", ++count, names[i]->d_name);
			(void)fflush(stdout);
		}
		free(names[i]);
	}
	free(names);
	free(space);
	printf("1..%d\n", count);
	return 0;
}
