/* Files: read whole, with a limit. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int sw_file_read(const char *path, size_t max, struct sw_buf *out, mode_t *ret_mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		goto out;
	}
	if (ret_mode)
		*ret_mode = st.st_mode;
	for (;;) {
		ssize_t n;

		sw_buf_reserve(out, 4096);
		n = read(fd, out->p + out->n, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			goto out;
		}
		out->n += (size_t)n;
		out->p[out->n] = '\0';
		if (out->n > max) {
			r = -EFBIG;
			goto out;
		}
	}
out:
	(void)close(fd);
	return r;
}
