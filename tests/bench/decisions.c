/*
 * How good are decisions? Thousands of deployments, healthy and bad, over series with different noise or read from files, judged by
 * our method and by what others do. Prints false alarms per healthy deployment, what share of bad ones is found, and how soon.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decisions.h"
#include "stats/calibrate.h"
#include "stats/defaults.h"

#define WORKERS_MAX 16
#define GROUPS_MAX 32
#define DEPLOYMENTS 500 /* a model: half a minute on two cores */
#define ERROR_SHARE 4 /* of the deployments; error rates take longer to make up */

struct options {
	uint64_t seed;
	size_t deployments, workers;
	const char *json, *only;
	char **csv;
	size_t n_csv;
};

static const struct {
	const char *name;
	double times;
	size_t late;
} steps[] = { { "healthy", 1, 0 }, { "x1.2", 1.2, 0 }, { "x1.5", 1.5, 0 }, { "x2", 2, 0 }, { "x2 late", 2, LATE_STEPS } };
static const struct {
	const char *name;
	double times;
} error_steps[] = { { "healthy", 1 }, { "x2", 2 }, { "x3", 3 }, { "x5", 5 }, { "x10", 10 } };

static struct group groups[GROUPS_MAX];
static size_t n_groups;

static struct group *group_new(const char *name, const char *help)
{
	struct group *g = &groups[n_groups++];

	SW_ASSERT(n_groups <= GROUPS_MAX);
	(void)snprintf(g->name, sizeof g->name, "%s", name);
	(void)snprintf(g->help, sizeof g->help, "%s", help);
	g->step_s = STEP_S;
	return g;
}

/* One history, then every effect on the same five minutes. */
static void run_latency(const struct model *m, struct group *g, struct rng *r, double *logs, double *raw, struct sw_calibration *cal, struct sw_arena *a)
{
	struct deployment d = { .history = raw, .n_history = HISTORY, .overlap = m->overlap, .fixed = 0.45, .floor = SW_FLOOR_LATENCY };

	m->fill(r, logs, HISTORY + LOOKS);
	for (size_t i = 0; i < HISTORY; i++)
		raw[i] = exp(logs[i]);
	deployment_calibrate(&d, cal, a);
	for (size_t s = 0; s < SW_COUNT(steps); s++) {
		for (size_t k = 0; k < LOOKS; k++) {
			double since = k < steps[s].late ? 0 : (double)(k - steps[s].late + 1);

			d.y[k] = exp(logs[HISTORY + k] + log(steps[s].times) * fmin(1, since / m->overlap));
		}
		tally_deployment(g, s, &d, a);
	}
}

static void run_errors(const struct error_model *m, struct group *g, struct rng *r, double *bad, double *all, struct sw_calibration *cal, struct sw_arena *a)
{
	struct deployment d = { .history = bad, .history_all = all, .n_history = HISTORY, .overlap = 1, .fixed = 2 * m->rate };

	errors_fill(m, r, bad, all, HISTORY, NULL);
	deployment_calibrate(&d, cal, a);
	for (size_t s = 0; s < SW_COUNT(error_steps); s++) {
		double times[LOOKS];

		for (size_t k = 0; k < LOOKS; k++)
			times[k] = error_steps[s].times;
		errors_fill(m, r, d.y, d.y_all, LOOKS, times);
		tally_deployment(g, s, &d, a);
	}
}

static void make_groups(const struct options *o)
{
	for (size_t i = 0; i < n_models && !o->n_csv; i++) {
		struct group *g = group_new(models[i].name, models[i].help);

		g->n_scenarios = SW_COUNT(steps);
		for (size_t s = 0; s < SW_COUNT(steps); s++) {
			(void)snprintf(g->scenarios[s].name, sizeof g->scenarios[s].name, "%s", steps[s].name);
			g->scenarios[s].healthy = s == 0;
			g->scenarios[s].late_s = (double)steps[s].late * STEP_S;
		}
	}
	for (size_t i = 0; i < n_error_models && !o->n_csv; i++) {
		struct group *g = group_new(error_models[i].name, error_models[i].help);

		g->n_scenarios = SW_COUNT(error_steps);
		for (size_t s = 0; s < SW_COUNT(error_steps); s++) {
			(void)snprintf(g->scenarios[s].name, sizeof g->scenarios[s].name, "%s", error_steps[s].name);
			g->scenarios[s].healthy = s == 0;
		}
	}
	for (size_t i = 0; i < o->n_csv; i++)
		(void)group_new(o->csv[i], "");
}

/* Deployment i of a model has the same numbers however many workers there are. */
static int work(const struct options *o, size_t worker)
{
	double *one = sw_malloc((HISTORY + LOOKS) * sizeof *one), *two = sw_malloc((HISTORY + LOOKS) * sizeof *two);
	struct sw_calibration *cal = sw_malloc(sizeof *cal);
	struct sw_arena a = { 0 };
	int status = 0;

	for (size_t g = 0; g < n_groups; g++) {
		bool errors = !o->n_csv && g >= n_models;
		size_t n = errors ? o->deployments / ERROR_SHARE : o->deployments;

		if (o->only && !strstr(groups[g].name, o->only))
			continue;
		if (o->n_csv) {
			status |= csv_group(o->csv[g], o->deployments, worker, o->workers, &groups[g], &a) < 0;
			continue;
		}
		for (size_t i = worker; i < n; i += o->workers) {
			struct rng r;

			rng_seed(&r, o->seed, g * 1000003 + i);
			if (errors)
				run_errors(&error_models[g - n_models], &groups[g], &r, one, two, cal, &a);
			else
				run_latency(&models[g], &groups[g], &r, one, two, cal, &a);
			sw_arena_reset(&a);
		}
	}
	sw_arena_fini(&a);
	free(cal);
	free(one);
	free(two);
	return status;
}

static bool read_all(int fd, void *p, size_t n)
{
	for (char *at = p; n > 0;) {
		ssize_t got = read(fd, at, n);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const void *p, size_t n)
{
	for (const char *at = p; n > 0;) {
		ssize_t put = write(fd, at, n);

		if (put <= 0)
			return false;
		at += put;
		n -= (size_t)put;
	}
	return true;
}

static void groups_add(const struct group *more)
{
	for (size_t g = 0; g < n_groups; g++) {
		/* of files the scenarios are known to the workers only */
		groups[g].n_scenarios = more[g].n_scenarios;
		groups[g].step_s = more[g].step_s;
		memcpy(groups[g].scenarios, more[g].scenarios, sizeof groups[g].scenarios);
		memcpy(groups[g].help, more[g].help, sizeof groups[g].help);
		for (size_t s = 0; s < groups[g].n_scenarios; s++)
			for (size_t m = 0; m < n_methods; m++)
				for (size_t k = 0; k <= LOOKS; k++)
					groups[g].tallies[s].alarms[m][k] += more[g].tallies[s].alarms[m][k];
	}
}

/* A process per worker; each sends its tallies home. */
static int work_all(const struct options *o)
{
	static struct group more[GROUPS_MAX];
	int fds[WORKERS_MAX][2], status = 0;
	pid_t pids[WORKERS_MAX];

	for (size_t w = 0; w < o->workers; w++) {
		if (pipe(fds[w]) < 0 || (pids[w] = fork()) < 0) {
			perror("decisions");
			return 1;
		}
		if (pids[w] == 0) {
			int bad = work(o, w);

			_exit(write_all(fds[w][1], groups, sizeof groups) ? bad : 1);
		}
		(void)close(fds[w][1]);
	}
	for (size_t w = 0; w < o->workers; w++) {
		int ended;

		if (read_all(fds[w][0], more, sizeof more))
			groups_add(more);
		(void)close(fds[w][0]);
		if (waitpid(pids[w], &ended, 0) < 0 || ended != 0)
			status = 1;
	}
	return status;
}

static int print_all(const struct options *o)
{
	FILE *json = o->json ? fopen(o->json, "w") : NULL;

	if (o->json && !json) {
		fprintf(stderr, "decisions: %s: %s\n", o->json, strerror(errno));
		return 1;
	}
	if (json)
		(void)fprintf(json, "{\"seed\":%llu", (unsigned long long)o->seed);
	for (size_t i = 0; i < n_methods; i++)
		printf("  %-22s%s\n", methods[i].name, methods[i].help);
	for (size_t g = 0; g < n_groups; g++)
		if (!o->only || strstr(groups[g].name, o->only))
			group_print(&groups[g], stdout, json);
	if (json) {
		(void)fprintf(json, "}\n");
		(void)fclose(json);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "deployments", 1, NULL, 'n' }, { "seed", 1, NULL, 's' }, { "workers", 1, NULL, 'w' },
		                               { "json", 1, NULL, 'j' }, { "only", 1, NULL, 'o' }, { "csv", 0, NULL, 'c' }, { 0 } };
	struct options o = { .seed = 20240229, .deployments = DEPLOYMENTS, .workers = 2 };
	bool csv = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'n')
			o.deployments = strtoul(optarg, NULL, 10);
		else if (c == 's')
			o.seed = strtoull(optarg, NULL, 10);
		else if (c == 'w')
			o.workers = strtoul(optarg, NULL, 10);
		else if (c == 'j')
			o.json = optarg;
		else if (c == 'o')
			o.only = optarg;
		else if (c == 'c')
			csv = true;
		else
			return 2;
	}
	if (csv) {
		o.csv = argv + optind;
		o.n_csv = (size_t)(argc - optind);
	}
	for (size_t i = 0; i < o.n_csv; i++)
		if (access(o.csv[i], R_OK) < 0) {
			fprintf(stderr, "decisions: %s: %s\n", o.csv[i], strerror(errno));
			return 1;
		}
	if (o.deployments < 1 || o.workers < 1 || o.workers > WORKERS_MAX || (csv && (o.n_csv < 1 || o.n_csv > GROUPS_MAX)) || (!csv && optind < argc)) {
		fprintf(stderr, "decisions [--deployments N] [--seed N] [--workers 1..%d] [--only NAME] [--json FILE] [--csv FILE...]\n", WORKERS_MAX);
		return 2;
	}
	make_groups(&o);
	if (csv)
		printf("series of %zu files, at most %zu healthy deployments each\n", o.n_csv, o.deployments);
	else
		printf("seed %llu, %zu deployments a model (%zu of error rates), each with every effect; 24 h before, 5 min after, every %d s\n",
		       (unsigned long long)o.seed, o.deployments, o.deployments / ERROR_SHARE, STEP_S);
	(void)fflush(stdout);
	status = work_all(&o);
	return status ? status : print_all(&o);
}
