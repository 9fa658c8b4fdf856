/* Marks on declarations of the public headers: what the library exports, what must be looked at, what is like printf. */
#ifndef SHIPWATCH_PUBLIC_H
#define SHIPWATCH_PUBLIC_H

#define SW_PUBLIC  __attribute__((visibility("default")))
#define SW_CHECKED __attribute__((warn_unused_result))
#define SW_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#ifdef __cplusplus
#define SW_EXTERN_C_BEGIN extern "C" {
#define SW_EXTERN_C_END   }
#else
#define SW_EXTERN_C_BEGIN
#define SW_EXTERN_C_END
#endif

#endif
