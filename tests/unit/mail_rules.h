/* What must hold for every mail, whatever is in it: seven bits, CRLF, short lines, a head of known headers, no dot
 * alone. */
#ifndef SW_TESTS_MAIL_RULES_H
#define SW_TESTS_MAIL_RULES_H

#include <string.h>

#include "base/str.h"

static inline const char *mail_rules_lines(const char *s, size_t n, size_t most)
{
	size_t col = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\r'   ? i + 1 == n || s[i + 1] != '\n'
		    : c == '\n' ? !i || s[i - 1] != '\r'
		                : (c < ' ' && c != '\t') || c > '~')
			return "a byte that is not for mail";
		if (c == '\r' && i > 0 && (s[i - 1] == ' ' || s[i - 1] == '\t'))
			return "a blank at the end of a line";
		col = c == '\n' ? 0 : c == '\r' ? col : col + 1;
		if (col > most)
			return "a line too long";
	}
	return n >= 2 && s[n - 1] == '\n' ? NULL : "the last line has no end";
}

/* The head holds each header at most once, and none that is not ours. */
static inline const char *mail_rules_head(const char *s, size_t n)
{
	static const char *const ours[] = { "Date: ",
		                            "From: ",
		                            "To: ",
		                            "Cc: ",
		                            "Subject: ",
		                            "Message-ID: ",
		                            "In-Reply-To: ",
		                            "References: ",
		                            "Auto-Submitted: ",
		                            "X-Auto-Response-Suppress: ",
		                            "Importance: ",
		                            "X-CI-Run-Id: ",
		                            "MIME-Version: ",
		                            "Content-Type: ",
		                            "Content-Transfer-Encoding: " };
	const char *end = memmem(s, n, "\r\n\r\n", 4), *p = s;
	unsigned seen = 0;

	if (!end)
		return "no end of the head";
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end + 2 - p));
		size_t i = 0;

		if (*p != ' ') {
			while (i < SW_COUNT(ours) && !sw_starts(p, ours[i]))
				i++;
			if (i == SW_COUNT(ours))
				return "a header that is not ours";
			if (seen & 1u << i)
				return "a header twice";
			seen |= 1u << i;
		}
		p = nl + 1;
	}
	return NULL;
}

/* What is wrong with a mail, or NULL. */
static inline const char *mail_rules_broken(const char *s, size_t n)
{
	const char *wrong = mail_rules_lines(s, n, 200), *body = memmem(s, n, "\r\n\r\n", 4);

	if (!wrong)
		wrong = mail_rules_head(s, n);
	if (!wrong && memmem(s, n, "\r\n.", 3))
		wrong = "a line that begins with a dot";
	return wrong ? wrong : mail_rules_lines(body + 4, n - (size_t)(body + 4 - s), 78);
}

#endif
