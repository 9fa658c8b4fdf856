/* Bodies as they are kept: see pack.h. The only file that knows zstd. One context each way, as a process has one thread. */
#include "bus/pack.h"

#include <errno.h>
#include <zstd.h>

/*
 * Instructions to deflate and inflate 7.7 and 19.3 KB of GitHub, and bytes kept: level 1: 170 k + 67 k, 1,581 and 252 k + 95 k, 2,507;
 * level -1: 129 k + 46 k, 1,960 and 213 k + 74 k, 3,045; level -5: 98 k + 38 k, 2,429 and 170 k + 65 k, 3,748. A byte more is up to
 * 40 instructions of Redis (its Lua hashes whole strings), and there is one Redis for all gateways and workers.
 */
#define PACK_LEVEL (-1)

static ZSTD_DCtx *pack_dctx;
static ZSTD_CCtx *pack_cctx;

int sw_pack_inflate(const void *p, size_t n, int64_t raw_n, int64_t max, struct sw_buf *out)
{
	size_t r;

	if (raw_n < 0 || raw_n > max)
		return -EFBIG;
	if (ZSTD_getFrameContentSize(p, n) != (unsigned long long)raw_n &&
	    ZSTD_getFrameContentSize(p, n) != ZSTD_CONTENTSIZE_UNKNOWN)
		return -EBADMSG;
	if (!pack_dctx) {
		pack_dctx = ZSTD_createDCtx();
		SW_ASSERT(pack_dctx);
	}
	sw_buf_reserve(out, (size_t)raw_n + 1);
	r = ZSTD_decompressDCtx(pack_dctx, out->p + out->n, (size_t)raw_n, p, n);
	if (ZSTD_isError(r) || r != (size_t)raw_n)
		return -EBADMSG;
	out->n += r;
	out->p[out->n] = 0;
	return 0;
}

void sw_pack_deflate(const void *p, size_t n, struct sw_buf *out)
{
	size_t r;

	if (!pack_cctx) {
		pack_cctx = ZSTD_createCCtx();
		SW_ASSERT(pack_cctx);
	}
	sw_buf_reserve(out, ZSTD_compressBound(n) + 1);
	r = ZSTD_compressCCtx(pack_cctx, out->p + out->n, ZSTD_compressBound(n), p, n, PACK_LEVEL);
	SW_ASSERT(!ZSTD_isError(r));
	out->n += r;
	out->p[out->n] = 0;
}
