/* The private Redis: its directory and lock, its settings, and what its log says when it does not start. */
#include "cli/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "bus/bus.h"
#include "shipwatch/buf.h"
#include "shipwatch/log.h"

#define LOG          "up"
#define LOCK_WAIT_MS 30000
#define SOCKET_MAX   100       /* of a unix socket's path, as the bus takes it */
#define LOG_TAIL     8192
#define LOG_MAX      (16L << 20)

static bool redis_installed(void)
{
	const char *path = getenv("PATH");
	char file[4096];

	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");

		if (n && snprintf(file, sizeof file, "%.*s/redis-server", (int)n, p) < (int)sizeof file && access(file, X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

static int redis_lock(struct sw_private_redis *r, struct sw_arena *a, struct sw_err *err)
{
	const char *path = sw_arena_printf(a, "%s/lock", r->dir);

	r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (r->lock < 0)
		return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
	for (int waited = 0; flock(r->lock, LOCK_EX | LOCK_NB) < 0; waited += 20) {
		if (errno != EWOULDBLOCK)
			return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
		if (waited == 0)
			SW_INFO(LOG, "waiting for the Redis of an earlier start to end (%s)", r->dir);
		if (waited >= LOCK_WAIT_MS)
			return sw_err_set(err, EBUSY, "%s: a Redis of an earlier start still runs there and does not end", r->dir);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	return 0;
}

int sw_private_redis_init(struct sw_private_redis *r, struct sw_loop *loop, const char *state_dir, struct sw_arena *a, struct sw_err *err)
{
	int rc;

	*r = (struct sw_private_redis){ .lock = -1 };
	sw_child_init(&r->child, loop, "redis");
	if (!redis_installed())
		return sw_err_set(err, ENOENT, "redis-server is not installed: apt-get install redis-server, or name one by redis: {url: …}");
	r->dir = sw_arena_printf(a, "%s/redis", state_dir);
	r->socket = sw_arena_printf(a, "%s/sock", r->dir);
	r->url = sw_arena_printf(a, "unix://%s", r->socket);
	r->log = sw_arena_printf(a, "%s/redis.log", r->dir);
	if (strlen(r->socket) > SOCKET_MAX)
		return sw_err_set(err, ENAMETOOLONG, "state directory %s: the path of a socket in it would be longer than %d bytes", state_dir,
		                  SOCKET_MAX);
	if (mkdir(r->dir, 0700) < 0 && errno != EEXIST)
		return sw_err_set(err, errno, "%s: %s", r->dir, strerror(errno));
	rc = redis_lock(r, a, err);
	if (rc < 0)
		return rc;
	r->child.keep_fd = r->lock;
	r->child.log = r->log;
	r->child.log_all = true;
	static const char *const options[] = {
		"redis-server", "--port", "0", "--unixsocketperm", "700", "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--aof-load-truncated", "no", "--auto-aof-rewrite-min-size", "1gb", "--maxmemory-policy", "noeviction", "--daemonize", "no", "--logfile", "",
	};
	for (size_t i = 0; i < SW_COUNT(options); i++)
		sw_child_arg(&r->child, options[i]);
	sw_child_arg(&r->child, "--dir");
	sw_child_arg(&r->child, r->dir);
	sw_child_arg(&r->child, "--unixsocket");
	sw_child_arg(&r->child, r->socket);
	return 0;
}

static void redis_drop(void *arg)
{
	struct sw_private_redis *r = arg;

	sw_bus_free(SW_TAKE(r->bus));
}

static void redis_state(void *arg, bool up, const char *why)
{
	struct sw_private_redis *r = arg;

	(void)why;
	if (!up)
		return;
	sw_loop_defer(r->child.loop, &r->drop);
	sw_child_ready(&r->child);
}

int sw_private_redis_start(struct sw_private_redis *r, struct sw_err *err)
{
	struct sw_bus_options o = { .url = r->url, .connections = 1, .on_state = redis_state, .arg = r };
	struct stat st;
	int rc;

	if (stat(r->log, &st) == 0 && st.st_size > LOG_MAX && truncate(r->log, 0) < 0)
		SW_WARN(LOG, "%s: %s", r->log, strerror(errno));
	r->log_from = stat(r->log, &st) == 0 ? (long)st.st_size : 0;
	rc = sw_child_start(&r->child);
	if (rc < 0)
		return sw_err_set(err, -rc, "redis-server: %s", strerror(-rc));
	r->drop = (struct sw_defer){ .cb = redis_drop, .arg = r };
	return sw_bus_new(r->child.loop, &o, &r->bus, err);
}

/* What Redis said since this start: its last line that is a warning ("#"), else its last one. */
enum sw_redis_end sw_private_redis_why(struct sw_private_redis *r, struct sw_err *why)
{
	static const char *const corrupt[] = { "Bad file format", "append only file", "AOF" };
	char text[LOG_TAIL + 1], *save = NULL, ended[32];
	enum sw_redis_end end = SW_REDIS_ENDED;
	const char *last = "";
	FILE *f = fopen(r->log, "re");
	size_t n = 0;

	if (f) {
		(void)fseek(f, 0, SEEK_END);
		if (ftell(f) - r->log_from > LOG_TAIL)
			r->log_from = ftell(f) - LOG_TAIL;
		(void)fseek(f, r->log_from, SEEK_SET);
		n = fread(text, 1, LOG_TAIL, f);
		r->log_from += (long)n;
		(void)fclose(f);
	}
	text[n] = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *mark = strstr(line, " # ");

		for (size_t i = 0; mark && i < SW_COUNT(corrupt); i++)
			if (strstr(mark, corrupt[i]) && (strstr(mark, "Bad file format") || strstr(mark, "rror"))) {
				end = SW_REDIS_CORRUPT;
				last = mark + 3;
			}
		if (mark && strstr(mark, "Unexpected end of file reading the append only file"))
			end = SW_REDIS_TORN;
		if (end != SW_REDIS_CORRUPT && *line)
			last = mark ? mark + 3 : line;
	}
	if (end == SW_REDIS_CORRUPT)
		(void)sw_err_set(why, EBADMSG, "Redis cannot read its append-only file in %s and nothing was changed: %.200s", r->dir, last);
	else if (end == SW_REDIS_TORN)
		(void)sw_err_set(why, EBADMSG, "the append-only file in %s ends within a write, as after a power cut", r->dir);
	else
		(void)sw_err_set(why, EIO, "Redis ended (%s): %.300s", sw_child_ended(&r->child, ended, sizeof ended), last);
	return end;
}

static int redis_check_aof(const char *manifest, const char *log, int yes)
{
	static const char program[] = "redis-check-aof";
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)"--fix", (char *)(uintptr_t)manifest, NULL };
	posix_spawn_file_actions_t actions;
	int r, status;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	(void)posix_spawn_file_actions_adddup2(&actions, yes, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0640);
	(void)posix_spawn_file_actions_adddup2(&actions, 1, 2);
	r = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBADMSG;
}

int sw_private_redis_mend(struct sw_private_redis *r, struct sw_err *err)
{
	char manifest[4096];
	int yes[2], rc;

	if (snprintf(manifest, sizeof manifest, "%s/appendonlydir/appendonly.aof.manifest", r->dir) >= (int)sizeof manifest)
		return sw_err_set(err, ENAMETOOLONG, "%s: the path is too long", r->dir);
	if (pipe2(yes, O_CLOEXEC) < 0)
		return sw_err_set(err, errno, "no pipe: %s", strerror(errno));
	rc = write(yes[1], "y\n", 2) == 2 ? 0 : -EIO; /* it asks whether it may */
	(void)close(yes[1]);
	if (rc == 0)
		rc = redis_check_aof(manifest, r->log, yes[0]);
	(void)close(yes[0]);
	if (rc < 0)
		return sw_err_set(err, -rc, "redis-check-aof --fix %s: %s; see %s", manifest, rc == -EBADMSG ? "not mended" : strerror(-rc), r->log);
	return 0;
}

void sw_private_redis_fini(struct sw_private_redis *r)
{
	sw_defer_cancel(&r->drop);
	if (r->bus)
		sw_bus_free(SW_TAKE(r->bus));
	if (r->lock >= 0)
		(void)close(r->lock);
	r->lock = -1;
}
