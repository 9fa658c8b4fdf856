/* Bodies as they are kept: zstd frames. Sizes are checked before anything is allocated. */
#ifndef SW_BUS_PACK_H
#define SW_BUS_PACK_H

#include "shipwatch/base.h"
#include "shipwatch/buf.h"

/* Inflates one frame of exactly raw_n bytes. Return: 0; -EFBIG when raw_n > max; -EBADMSG when it is broken or of another size. */
SW_CHECKED int sw_pack_inflate(const void *p, size_t n, int64_t raw_n, int64_t max, struct sw_buf *out);
/* Level 1, one context for the process. Appends the frame. */
void sw_pack_deflate(const void *p, size_t n, struct sw_buf *out);

#endif
