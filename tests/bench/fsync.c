/* What the disk gives: appends blocks to a file, each followed by fdatasync, and prints the percentiles as one JSON line. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK ((size_t)8192)
#define TIMES_MAX 100000

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double took[TIMES_MAX];
	static char block[BLOCK];
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 2000;
	int fd;

	if (argc < 2 || n < 1 || n > TIMES_MAX) {
		(void)fprintf(stderr, "bench-fsync FILE [TIMES]\n");
		return 2;
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)fprintf(stderr, "bench-fsync: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	memset(block, 'x', sizeof block);
	for (long i = 0; i < n; i++) {
		double start = now_ms();

		if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) < 0) {
			(void)fprintf(stderr, "bench-fsync: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		took[i] = now_ms() - start;
	}
	(void)close(fd);
	(void)unlink(argv[1]);
	qsort(took, (size_t)n, sizeof *took, order);
	(void)printf("{\"times\":%ld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", n, took[n / 2], took[n * 99 / 100], took[n - 1]);
	return 0;
}
