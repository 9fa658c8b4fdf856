/* Files: read whole, with a limit. */
#ifndef SW_BASE_FILE_H
#define SW_BASE_FILE_H

#include <sys/stat.h>

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

/* Appends a whole file of at most max bytes to out; ret_mode (may be NULL) gets its mode. Return: 0, -EFBIG, -errno. */
SW_CHECKED int sw_file_read(const char *path, size_t max, struct sw_buf *out, mode_t *ret_mode);

#endif
