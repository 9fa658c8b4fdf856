/* What the tests of the configuration load it with: plug-ins of their own and an environment. */
#ifndef TESTS_CONFIG_RIG_H
#define TESTS_CONFIG_RIG_H

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "config/config.h"
#include "shipwatch/buf.h"

/* Plug-ins as the configuration sees them: a name and a table of settings. */
struct hook {
	const char **secrets, **tokens, **signing_tokens;
};
struct robot {
	const char *url, *secret;
};
struct exec {
	const char **command;
	sw_dur timeout;
};

static const struct sw_key github_keys[] = { { "secrets", SW_KEY_SECRETS, offsetof(struct hook, secrets), "!", "" },
	                                     { 0 } };
static const struct sw_key gitlab_keys[] = { { "tokens", SW_KEY_SECRETS, offsetof(struct hook, tokens), NULL, "" },
	                                     { "signing_tokens", SW_KEY_SECRETS, offsetof(struct hook, signing_tokens),
	                                       NULL, "" },
	                                     { 0 } };
static const struct sw_key robot_keys[] = { { "url", SW_KEY_SECRET, offsetof(struct robot, url), "!", "" },
	                                    { "secret", SW_KEY_SECRET, offsetof(struct robot, secret), NULL, "" },
	                                    { 0 } };
static const struct sw_key none_keys[] = { { 0 } };
static const struct sw_key exec_keys[] = { { "command", SW_KEY_STRINGS, offsetof(struct exec, command), "!", "" },
	                                   { "timeout", SW_KEY_DUR, offsetof(struct exec, timeout), "5m", "", SW_SECOND,
	                                     SW_HOUR },
	                                   { 0 } };
static const struct sw_key http_keys[] = { { "url", SW_KEY_URL, offsetof(struct robot, url), "!", "" }, { 0 } };

static const char *robot_credential(const void *conf)
{
	return ((const struct robot *)conf)->url;
}

static int no_compare(const struct sw_api *api, const char *repo, const char *from, const char *to, struct sw_arena *a, struct sw_job *ret,
                      struct sw_err *err)
{
	return sw_err_set(err, EINVAL, "%s", "");
}

static const struct sw_source github = { .base = { "github", "", github_keys, sizeof(struct hook) }, .compare = no_compare,
	                                 .api = "https://api.github.com" };
static const struct sw_source gitlab = { .base = { "gitlab", "", gitlab_keys, sizeof(struct hook) }, .compare = no_compare };
static const struct sw_source report = { .base = { "report", "", github_keys, sizeof(struct hook) } };
static const struct sw_channel dingtalk = { .base = { "dingtalk", "", robot_keys, sizeof(struct robot) },
	                                    .credential = robot_credential };
static const char *const wecom_ids[] = { "wecom", "mobile", NULL };
static const struct sw_channel wecom = { .base = { "wecom", "", robot_keys, sizeof(struct robot) },
	                                 .ids = wecom_ids, .numbers = true,
	                                 .credential = robot_credential };
static const struct sw_channel console = { .base = { "console", "", none_keys, 0 } };
static const struct sw_action http = { .base = { "http", "", http_keys, sizeof(struct robot) } };
static void exec_check(const void *conf, const struct sw_ynode *node, struct sw_diags *d)
{
	if (sw_streq(**(const char *const *const *)conf, "/bin/false"))
		sw_diag_error(d, sw_yget(node, "command"), "command: does nothing");
}
static void exec_tell(const void *conf, struct sw_buf *out)
{
	sw_buf_printf(out, "runs %s", **(const char *const *const *)conf);
}
static const struct sw_source *const test_sources[] = { &gitlab, &github, &report, NULL };
static const struct sw_channel *const test_channels[] = { &dingtalk, &wecom, &console, NULL };
static const struct sw_action exec = { .base = { "exec", "", exec_keys, sizeof(struct exec) }, .check = exec_check, .tell = exec_tell };
static const struct sw_action *const test_actions[] = { &http, &exec, NULL };
static const struct sw_signal *const test_signals[] = { NULL };
static const struct sw_plugins plugins = { test_sources, test_signals, test_channels, test_actions };

static const char *test_get(void *arg, const char *name)
{
	return strcmp(name, "NOT_SET") == 0        ? NULL
	       : strcmp(name, "DINGTALK_URL") == 0 ? "https://ding.example/robot?access_token=1"
	                                           : name;
}

static const struct sw_yenv test_env = { .get = test_get, .files = true };

#endif
