/* Programs: what the worker's side does: the record, the shim, its report. */
#include "io/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "io/shim.h"
#include "shipwatch/buf.h"
#include "shipwatch/clock.h"
#include "shipwatch/mem.h"

#define REPORT_MAX ((size_t)SW_SPAWN_OUTPUT * 6 + 4096) /* every byte escaped */
#define NAME_MAX_  200
#define LOOK_AGAIN (SW_SECOND / 2)
#define RECORDS    10000

struct sw_spawn {
	struct sw_spawner *s;
	struct sw_spawn *prev, *next;
	sw_spawn_cb cb; /* NULL: forgotten */
	void *arg;
	pid_t shim;
	int fd; /* the report; -1: none comes */
	struct event *ev;
	struct sw_buf report;
	struct sw_defer later;
	enum sw_fault fault;
	char why[300];
};

struct found {
	struct found *next;
	char *id, *note, *file;
};

struct sw_spawner {
	struct sw_loop *loop;
	char **programs; /* NULL: any */
	char *dir;       /* NULL: no records */
	struct sw_spawn *first;
	struct found *found; /* records of a forerunner, not yet told */
	sw_spawn_found_cb found_cb;
	void *found_arg;
	struct sw_timer look;
};

/* ---- outcomes ---- */

/* The shim's report to a result; texts live in the arena. */
static void outcome_read(const char *text, size_t n, struct sw_arena *a, struct sw_result *ret)
{
	struct sw_jnode *node;
	const char *failed;

	*ret = (struct sw_result){ .body = "", .at = sw_clock_wall() };
	if (!n || sw_jtree_parse(a, text, n, 100, &node, NULL) < 0) {
		ret->fault = SW_FAULT_AMBIGUOUS;
		ret->detail = "its watcher ended without a word: it may have run";
		return;
	}
	failed = sw_jstr(node, "failed");
	if (failed) {
		ret->fault = SW_FAULT_SPAWN;
		ret->detail = sw_arena_printf(a, "cannot be started: %s", failed);
	}
	ret->status = (int)sw_jint(node, "status", 0);
	ret->timed_out = sw_jbool(node, "timed_out", false);
	ret->body_cut = sw_jbool(node, "cut", false);
	ret->took = sw_jint(node, "took", 0);
	ret->at = sw_jint(node, "at", ret->at);
	ret->body = sw_jstr(node, "output") ? sw_jstr(node, "output") : "";
	ret->body_n = strlen(ret->body);
}

static void spawn_free(struct sw_spawn *p)
{
	struct sw_spawner *s = p->s;

	*(p->prev ? &p->prev->next : &s->first) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	if (p->ev)
		event_free(p->ev);
	if (p->fd >= 0)
		close(p->fd);
	sw_defer_cancel(&p->later);
	sw_buf_fini(&p->report);
	free(p);
}

static void spawn_end(struct sw_spawn *p, const struct sw_result *res)
{
	if (p->cb)
		p->cb(p->arg, res);
	spawn_free(p);
}

static void spawn_refused(void *arg)
{
	struct sw_spawn *p = arg;
	struct sw_result res = { .fault = p->fault, .detail = p->why, .body = "", .at = sw_clock_wall() };

	spawn_end(p, &res);
}

static void spawn_fail(struct sw_spawn *p, enum sw_fault fault, const char *what, const char *why)
{
	p->fault = fault;
	(void)snprintf(p->why, sizeof p->why, "%.150s: %s", what, why);
	p->later = (struct sw_defer){ .cb = spawn_refused, .arg = p };
	sw_loop_defer(p->s->loop, &p->later);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct sw_spawn *p = arg;
	struct sw_arena a = { 0 };
	struct sw_result res;
	char buf[16384];
	ssize_t k;

	while ((k = read(fd, buf, sizeof buf)) > 0)
		if (p->report.n + (size_t)k <= REPORT_MAX)
			sw_buf_catn(&p->report, buf, (size_t)k);
	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	(void)waitpid(p->shim, NULL, 0); /* its end closed the pipe */
	outcome_read(p->report.p, p->report.n, &a, &res);
	spawn_end(p, &res);
	sw_arena_fini(&a);
}

/* ---- records ---- */

/* A name that no path can hide in. */
static bool record_file(const char *id, struct sw_buf *out)
{
	sw_pct_encode(out, id, strlen(id));
	return out->n > 0 && out->n <= NAME_MAX_;
}

static char *record_path(const struct sw_spawner *s, const char *file, const char *end)
{
	struct sw_buf b = SW_BUF_INIT;

	sw_buf_printf(&b, "%s/%s.%s", s->dir, file, end);
	return sw_buf_take(&b);
}

/* The intent is on disk and locked before anything starts. Return: descriptor, or -errno (-EEXIST: it was begun
 * before). */
static int record_begin(const struct sw_spawner *s, const char *file, const char *id, const char *note,
                        const char *program)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	SW_CLEANUP(sw_freep) char *path = record_path(s, file, "intent");
	struct sw_jw w;
	int r, fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	sw_jw_init(&w, &b);
	sw_jw_obj(&w, NULL);
	sw_jw_str(&w, "id", id);
	sw_jw_opt(&w, "note", note);
	sw_jw_str(&w, "program", program);
	sw_jw_int(&w, "began", sw_clock_wall());
	sw_jw_obj_end(&w);
	r = flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, b.p, b.n) != (ssize_t)b.n || fsync(fd) < 0 ? -errno : 0;
	if (r == 0)
		r = sw_shim_sync_dir(s->dir);
	if (r == 0)
		return fd;
	(void)unlink(path);
	close(fd);
	return r;
}

void sw_spawner_settle(struct sw_spawner *s, const char *id)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf file = SW_BUF_INIT;
	SW_CLEANUP(sw_freep) char *intent = NULL;
	SW_CLEANUP(sw_freep) char *result = NULL;

	if (!s->dir || !record_file(id, &file))
		return;
	intent = record_path(s, file.p, "intent");
	result = record_path(s, file.p, "result");
	(void)unlink(intent); /* first: a result alone is never asked for */
	(void)unlink(result);
}

/* ---- starting ---- */

static const char *spawn_refusal(const struct sw_spawner *s, const struct sw_job *job)
{
	if (!job->argv || !job->argv[0] || job->argv[0][0] != '/')
		return "not an absolute path";
	if (job->body_n > SW_SPAWN_INPUT)
		return "its input is too large";
	for (char **p = s->programs; p && *p; p++)
		if (strcmp(*p, job->argv[0]) == 0)
			return NULL;
	return s->programs ? "not among the programs that may be started" : NULL;
}

/* Return: 0, or -errno. */
static int spawn_fork(struct sw_spawn *p, const struct sw_job *job, int intent, const char *file)
{
	struct sw_shim shim = { .job = job,
		                .timeout = job->timeout > 0 ? job->timeout : SW_SPAWN_TIMEOUT,
		                .intent_fd = intent,
		                .dir = intent < 0 ? NULL : p->s->dir,
		                .file = file };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	shim.report_fd = fds[1];
	p->shim = fork();
	if (p->shim == 0)
		sw_shim_run(&shim);
	close(fds[1]);
	p->fd = fds[0];
	if (p->shim < 0)
		return -errno;
	(void)fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->ev = event_new(p->s->loop->base, p->fd, EV_READ | EV_PERSIST, on_report, p);
	SW_ASSERT(p->ev && event_add(p->ev, NULL) == 0);
	return 0;
}

static void spawn_start(struct sw_spawn *p, const struct sw_job *job, const char *id, const char *note)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf file = SW_BUF_INIT;
	const char *why = spawn_refusal(p->s, job), *program = job->argv && job->argv[0] ? job->argv[0] : "no program";
	int r, intent = -1;

	if (why) {
		spawn_fail(p, SW_FAULT_REFUSED, program, why);
		return;
	}
	if (id && p->s->dir) {
		intent = record_file(id, &file) ? record_begin(p->s, file.p, id, note, program) : -ENAMETOOLONG;
		if (intent == -EEXIST) {
			spawn_fail(p, SW_FAULT_AMBIGUOUS, program, "was begun before under this id: it may have run");
			return;
		}
		if (intent < 0) {
			spawn_fail(p, SW_FAULT_SPAWN, "its record cannot be written", strerror(-intent));
			return;
		}
	}
	r = spawn_fork(p, job, intent, sw_buf_str(&file));
	if (intent >= 0)
		close(intent); /* the shim has it, and the lock */
	if (r < 0) {
		if (intent >= 0)
			sw_spawner_settle(p->s, id);
		spawn_fail(p, SW_FAULT_SPAWN, program, strerror(-r));
	}
}

struct sw_spawn *sw_spawn_do(struct sw_spawner *s, const struct sw_job *job, const char *id, const char *note,
                             sw_spawn_cb cb, void *arg)
{
	struct sw_spawn *p = sw_calloc(1, sizeof *p);

	SW_ASSERT(job->kind == SW_JOB_EXEC);
	p->s = s;
	p->cb = cb;
	p->arg = arg;
	p->fd = -1;
	p->next = s->first;
	if (p->next)
		p->next->prev = p;
	s->first = p;
	spawn_start(p, job, id, note);
	return p;
}

void sw_spawn_forget(struct sw_spawn *p)
{
	p->cb = NULL;
}

/* ---- what a forerunner left ---- */

/* Return: true with the text of a file of ours. */
static bool file_read(const char *path, struct sw_buf *out)
{
	char buf[16384];
	ssize_t k = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	while ((k = read(fd, buf, sizeof buf)) > 0 && out->n < REPORT_MAX)
		sw_buf_catn(out, buf, (size_t)k);
	close(fd);
	return k == 0;
}

/* Return: false while its shim lives. */
static bool found_outcome(struct sw_spawner *s, const struct found *f, struct sw_arena *a, struct sw_result *ret)
{
	SW_CLEANUP(sw_freep) char *intent = record_path(s, f->file, "intent");
	SW_CLEANUP(sw_freep) char *result = record_path(s, f->file, "result");
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	int fd = open(intent, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	if (busy)
		return false;
	(void)file_read(result, &b); /* after the lock: the shim wrote it before it let go */
	outcome_read(b.p, b.n, a, ret);
	return true;
}

static void on_look(void *arg)
{
	struct sw_spawner *s = arg;
	struct found **at = &s->found;

	while (*at) {
		struct found *f = *at;
		struct sw_arena a = { 0 };
		struct sw_result res;

		if (found_outcome(s, f, &a, &res)) {
			*at = f->next;
			s->found_cb(s->found_arg, f->id, f->note, &res);
			free(f->id);
			free(f->note);
			free(f->file);
			free(f);
		} else {
			at = &f->next;
		}
		sw_arena_fini(&a);
	}
	if (s->found)
		sw_timer_set(&s->look, LOOK_AGAIN);
}

static void found_add(struct sw_spawner *s, const char *name)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT, id = SW_BUF_INIT;
	char *file = sw_strndup(name, strlen(name) - strlen(".intent"));
	SW_CLEANUP(sw_freep) char *path = record_path(s, file, "intent");
	struct sw_arena a = { 0 };
	struct sw_jnode *node = NULL;
	struct found *f;

	/* A torn intent is of a program that never started: the id is in the name, the rest is not known. */
	if (!file_read(path, &b) || sw_jtree_parse(&a, sw_buf_str(&b), b.n, 100, &node, NULL) < 0)
		node = NULL;
	if (sw_pct_decode(&id, file, strlen(file), false) < 0) {
		free(file);
		sw_arena_fini(&a);
		return;
	}
	f = sw_calloc(1, sizeof *f);
	f->file = file;
	f->id = sw_strdup(sw_buf_str(&id));
	f->note = sw_strdup(sw_jstr(node, "note"));
	f->next = s->found;
	s->found = f;
	sw_arena_fini(&a);
}

void sw_spawner_recover(struct sw_spawner *s, sw_spawn_found_cb cb, void *arg)
{
	DIR *d = s->dir ? opendir(s->dir) : NULL;
	struct dirent *e;
	size_t n = 0;

	if (!d)
		return;
	s->found_cb = cb;
	s->found_arg = arg;
	while ((e = readdir(d)) != NULL && n < RECORDS)
		if (sw_ends(e->d_name, ".intent") && strlen(e->d_name) > strlen(".intent")) {
			found_add(s, e->d_name);
			n++;
		}
	closedir(d);
	if (s->found)
		sw_timer_set(&s->look, 0);
}

/* ---- the whole ---- */

int sw_spawner_new(struct sw_loop *loop, const char *const *programs, const char *dir, struct sw_spawner **ret,
                   struct sw_err *err)
{
	struct sw_spawner *s;
	size_t n = 0;

	if (dir && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return sw_err_set(err, errno, "%s cannot be made: %s", dir, strerror(errno));
	if (dir && access(dir, W_OK | X_OK) < 0)
		return sw_err_set(err, errno, "%s cannot be written: %s", dir, strerror(errno));
	s = sw_calloc(1, sizeof *s);
	s->loop = loop;
	s->dir = sw_strdup(dir);
	sw_timer_init(&s->look, loop, on_look, s);
	while (programs && programs[n])
		n++;
	if (programs)
		s->programs = sw_calloc(n + 1, sizeof *s->programs);
	for (size_t i = 0; i < n; i++)
		s->programs[i] = sw_strdup(programs[i]);
	*ret = s;
	return 0;
}

void sw_spawner_free(struct sw_spawner *s)
{
	struct found *f;

	if (!s)
		return;
	while (s->first)
		spawn_free(s->first);
	while ((f = s->found) != NULL) {
		s->found = f->next;
		free(f->id);
		free(f->note);
		free(f->file);
		free(f);
	}
	sw_timer_stop(&s->look);
	for (char **p = s->programs; p && *p; p++)
		free(*p);
	free(s->programs);
	free(s->dir);
	free(s);
}
