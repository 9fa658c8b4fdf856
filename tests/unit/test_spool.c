/* The spool: order, once, torn tails, a full disk, failing syncs, the lock. The bus behind it is the one in memory. */
#include "bus_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/spool.h"

static char dir[64];
static struct sw_bus *bus;
static struct rig_reader reader;
static struct sw_err err;

/* Faults by counting: the n-th call from now fails with this. */
static struct { int after, code; } fault_write, fault_sync, fault_room;

static bool due(int *after)
{
	return *after > 0 && --*after == 0;
}

static ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (due(&fault_write.after)) {
		(void)!pwrite(fd, p, n / 2, at); /* torn */
		errno = fault_write.code;
		return -1;
	}
	return pwrite(fd, p, n, at);
}

static int faulty_sync(int fd)
{
	if (due(&fault_sync.after)) {
		errno = fault_sync.code;
		return -1;
	}
	return fdatasync(fd);
}

static int faulty_room(int fd, off_t size)
{
	int r;

	if (due(&fault_room.after)) {
		errno = fault_room.code;
		return -1;
	}
	r = posix_fallocate(fd, 0, size);
	errno = r;
	return r ? -1 : 0;
}

static const struct sw_spool_io faulty = { faulty_pwrite, faulty_sync, faulty_room };

static struct sw_spool *open_spool(int64_t segment, int64_t max, int64_t reserve)
{
	struct sw_spool_options o = { .dir = dir, .gateway = "gw-1", .bytes_max = max, .segment_bytes = segment, .reserve_bytes = reserve, .io = &faulty };
	struct sw_spool *s = NULL;

	if (sw_spool_open(&o, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static int setup(void **state)
{
	struct sw_bus_options o = { 0 };

	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/sw-test-XXXXXX");
	if (!mkdtemp(dir) || sw_bus_new(NULL, &o, &bus, &err) < 0)
		return -1;
	sw_bus_mem_clock(bus, 1700000000000);
	reader = (struct rig_reader){ .bus = bus };
	sw_bus_read(bus, "me", 100, rig_read, &reader);
	memset(&fault_write, 0, sizeof fault_write);
	memset(&fault_sync, 0, sizeof fault_sync);
	memset(&fault_room, 0, sizeof fault_room);
	return 0;
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	(void)state;
	while (d && (e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	(void)rmdir(dir);
	sw_bus_free(bus);
	rig_reader_fini(&reader);
	return 0;
}

static int put(struct sw_spool *s, int n, size_t size)
{
	static char body[100000];
	char id[32];
	struct sw_entry_in e = { .id = id, .source = "gitlab", .kind = "gitlab", .meta = "{}", .dedupe = id, .dedupe_for = SW_DAY, .body = body,
		.body_n = size, .raw_n = -1, .arrived = 1700000000000 + n };

	(void)snprintf(id, sizeof id, "e%d", n);
	memset(body, 'a' + n % 26, size);
	return sw_spool_append(s, &e, &err);
}

static int drained_r;
static int drained_calls;

static void drained(void *arg, int r)
{
	(void)arg;
	drained_r = r;
	drained_calls++;
}

/* As a gateway does: asks for the offset, drains until nothing more happens. */
static void drain(struct sw_spool *s)
{
	struct rig_reply p = { 0 };

	sw_bus_gateway(bus, "gw-1", sw_spool_waiting(s), rig_int, &p);
	while (sw_bus_mem_run(bus))
		;
	assert_true(p.done);
	drained_r = drained_calls = 0;
	sw_spool_drain(s, bus, p.number, drained, NULL);
	while (sw_bus_mem_run(bus))
		;
	rig_reset(&p);
}

/* The reader got exactly these, in this order. */
static void got(int from, int to)
{
	size_t n = (size_t)(to - from);

	assert_int_equal(reader.n[1], n);
	for (size_t i = 0; i < n; i++) {
		char want[64];

		(void)snprintf(want, sizeof want, "e%d gitlab gitlab {} %lld ", from + (int)i, 1700000000000LL + from + (int)i);
		assert_memory_equal(reader.given[1][i].text, want, strlen(want));
	}
}

static int number_of(const struct rig_given *g) { return (int)strtol(g->text + 1, NULL, 10); }

static int count_files(const char *suffix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strlen(e->d_name) > strlen(suffix) && strcmp(e->d_name + strlen(e->d_name) - strlen(suffix), suffix) == 0;
	(void)closedir(d);
	return n;
}

static void test_in_order_once(void **state)
{
	struct sw_spool *s = open_spool(100000, 0, 0);

	(void)state;
	for (int i = 0; i < 500; i++) {
		assert_int_equal(put(s, i, 3000), 0);
		if (i % 7 == 6)
			assert_int_equal(sw_spool_sync(s, &err), 0);
	}
	assert_int_equal(sw_spool_sync(s, &err), 0);
	assert_true(count_files(".seg") >= 15);
	assert_true(sw_spool_waiting(s) > 1500000);
	drain(s);
	assert_int_equal(drained_r, 0);
	assert_true(drained_calls >= 4);
	assert_int_equal(sw_spool_waiting(s), 0);
	assert_int_equal(count_files(".seg"), 1);
	got(0, 500);
	/* Drained is drained: also by another life of the gateway, whose offsets go on from there. */
	sw_spool_free(s);
	s = open_spool(100000, 0, 0);
	drain(s);
	got(0, 500);
	assert_int_equal(put(s, 500, 10), 0);
	assert_int_equal(sw_spool_sync(s, &err), 0);
	drain(s);
	got(0, 501);
	sw_spool_free(s);
}

static void test_not_before_it_is_synced(void **state)
{
	struct sw_spool *s = open_spool(100000, 0, 0);

	(void)state;
	assert_int_equal(put(s, 0, 10), 0);
	drain(s);
	got(0, 0);
	assert_int_equal(sw_spool_sync(s, &err), 0);
	drain(s);
	got(0, 1);
	sw_spool_free(s);
}

static void last_segment(char path[128])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char best[256] = "";

	while (d && (e = readdir(d)))
		if (strstr(e->d_name, ".seg") && strcmp(e->d_name, best) > 0)
			(void)snprintf(best, sizeof best, "%s", e->d_name);
	(void)closedir(d);
	(void)snprintf(path, 128, "%s/%.60s", dir, best);
}

/* Torn at every byte of the last record: the ones before it stay, nothing else comes out. */
static void test_torn_tail(void **state)
{
	(void)state;
	for (int cut = 1; cut < 170; cut += 3) {
		struct sw_spool *s = open_spool(4096, 0, 0);
		char path[128];
		int64_t before, after;
		int fd;

		assert_int_equal(put(s, 0, 10), 0);
		assert_int_equal(put(s, 1, 10), 0);
		before = sw_spool_waiting(s);
		assert_int_equal(put(s, 2, 10), 0);
		after = sw_spool_waiting(s);
		assert_int_equal(sw_spool_sync(s, &err), 0);
		last_segment(path);
		sw_spool_free(s);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_true(after - before > cut || cut >= after - before);
		assert_int_equal(ftruncate(fd, before + SW_MIN((int64_t)cut, after - before - 1)), 0);
		if (cut % 2)
			assert_int_equal(ftruncate(fd, 4096), 0); /* zeros behind, as in a preallocated file */
		(void)close(fd);
		s = open_spool(4096, 0, 0);
		assert_int_equal(sw_spool_waiting(s), before);
		assert_int_equal(put(s, 3, 10), 0);
		assert_int_equal(sw_spool_sync(s, &err), 0);
		drain(s);
		assert_int_equal(reader.n[1], 3);
		assert_memory_equal(reader.given[1][1].text, "e1 ", 3);
		assert_memory_equal(reader.given[1][2].text, "e3 ", 3);
		sw_spool_free(s);
		(void)teardown(NULL);
		(void)setup(NULL);
	}
}

/* One bit anywhere in a file of three records: what comes out was put in, unchanged and in order. */
static void test_bit_flips(void **state)
{
	(void)state;
	for (int at = 0; at < 560; at += 5) {
		struct sw_spool *s = open_spool(4096, 0, 0);
		char path[128];
		unsigned char byte;
		int fd, last = -1;

		for (int i = 0; i < 3; i++)
			assert_int_equal(put(s, i, 20), 0);
		assert_int_equal(sw_spool_sync(s, &err), 0);
		last_segment(path);
		sw_spool_free(s);
		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (unsigned char)(1 << at % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		(void)close(fd);
		s = open_spool(4096, 0, 0);
		assert_int_equal(put(s, 3, 20), 0);
		assert_int_equal(sw_spool_sync(s, &err), 0);
		drain(s);
		assert_true(reader.n[1] >= 1 && reader.n[1] <= 4);
		for (size_t i = 0; i < reader.n[1]; i++) {
			int n = number_of(&reader.given[1][i]);
			char want[96], body[32] = "";

			assert_true(n > last);
			last = n;
			memset(body, 'a' + n, 20);
			(void)snprintf(want, sizeof want, "e%d gitlab gitlab {} %lld 20 %s ", n, 1700000000000LL + n, body);
			assert_string_equal(reader.given[1][i].text, want);
		}
		assert_int_equal(last, 3);
		sw_spool_free(s);
		(void)teardown(NULL);
		(void)setup(NULL);
	}
}

static void test_full(void **state)
{
	struct sw_spool *s = open_spool(10000, 30000, 0);
	int n = 0, r = 0;

	(void)state;
	for (; (r = put(s, n, 1000)) == 0; n++)
		assert_int_equal(sw_spool_sync(s, &err), 0);
	assert_int_equal(r, -ENOSPC);
	assert_in_range(n, 20, 29);
	assert_non_null(strstr(err.text, "full"));
	drain(s);
	assert_int_equal(put(s, n, 1000), 0);
	assert_int_equal(sw_spool_sync(s, &err), 0);
	drain(s);
	got(0, n + 1);
	sw_spool_free(s);
}

static void test_disk_full(void **state)
{
	struct sw_spool *s = open_spool(4000, 0, 50000);
	int n = 0;

	(void)state;
	assert_int_equal(count_files("eserve"), 1);
	fault_room.code = ENOSPC;
	fault_room.after = 1; /* the next file has no room: the reserve goes, and then there is some */
	while (count_files("eserve"))
		assert_int_equal(put(s, n++, 1000), 0);
	fault_room.after = 1; /* and now there is none */
	for (int i = 0; i < 10; i++)
		if (put(s, n, 1000) < 0)
			break;
		else
			n++;
	assert_non_null(strstr(err.text, "No space"));
	assert_int_equal(sw_spool_sync(s, &err), 0);
	drain(s);
	got(0, n);
	assert_int_equal(count_files("eserve"), 1); /* there again once all is drained */
	sw_spool_free(s);
}

/* Every write and every sync fails once: what was acknowledged comes out, in order, once. */
static void test_faults_by_counting(void **state)
{
	static const int codes[] = { EIO, ENOSPC };
	int *const counters[] = { &fault_write.after, &fault_sync.after, &fault_room.after };

	(void)state;
	for (int k = 0; k < 3; k++)
		for (int at = 1; at < 20; at++) {
			struct sw_spool *s = open_spool(4096, 0, 0);
			int ok[40], n_ok = 0, batch[3], n_batch;
			size_t seen = 0;

			fault_write.code = fault_sync.code = fault_room.code = codes[at % 2];
			*counters[k] = at;
			for (int i = 0; i < 30; i += 3) {
				n_batch = 0;
				for (int q = 0; q < 3; q++)
					if (put(s, i + q, 700) == 0)
						batch[n_batch++] = i + q;
				if (sw_spool_sync(s, &err) == 0)
					for (int q = 0; q < n_batch; q++)
						ok[n_ok++] = batch[q];
			}
			*counters[k] = 0;
			assert_true(n_ok >= 24);
			if (at % 3 == 0) { /* with a crash before the drain */
				sw_spool_free(s);
				s = open_spool(4096, 0, 0);
			}
			drain(s);
			assert_int_equal(sw_spool_waiting(s), 0);
			for (size_t i = 0; i < reader.n[1]; i++)
				if (seen < (size_t)n_ok && number_of(&reader.given[1][i]) == ok[seen])
					seen++;
			assert_int_equal(seen, n_ok);
			sw_spool_free(s);
			(void)teardown(NULL);
			(void)setup(NULL);
		}
}

static void test_one_process(void **state)
{
	struct sw_spool *s = open_spool(4096, 0, 0), *second;
	struct sw_spool_options o = { .dir = dir, .gateway = "gw-1", .segment_bytes = 4096 };

	(void)state;
	assert_int_equal(sw_spool_open(&o, &second, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process"));
	sw_spool_free(s);
	assert_int_equal(sw_spool_open(&o, &second, &err), 0);
	sw_spool_free(second);
	o.dir = "/proc/none";
	assert_true(sw_spool_open(&o, &second, &err) < 0);
}

/* Freed while a batch is under way, and a bus that refuses. */
static void test_broken_off(void **state)
{
	struct sw_bus_options small = { .in_max_bytes = 10 };
	struct sw_bus *full;
	struct sw_spool *s = open_spool(4096, 0, 0);

	(void)state;
	assert_int_equal(put(s, 0, 100), 0);
	assert_int_equal(sw_spool_sync(s, &err), 0);
	assert_int_equal(sw_bus_new(NULL, &small, &full, &err), 0);
	sw_bus_mem_clock(full, 1700000000000);
	drained_calls = 0;
	sw_spool_drain(s, full, -1, drained, NULL);
	sw_spool_drain(s, full, -1, drained, NULL); /* under way already */
	while (sw_bus_mem_run(full))
		;
	assert_int_equal(drained_calls, 1);
	assert_int_equal(drained_r, -ENOMEM);
	assert_true(sw_spool_waiting(s) > 0);
	sw_spool_drain(s, full, -1, drained, NULL);
	sw_spool_free(s);
	while (sw_bus_mem_run(full))
		;
	assert_int_equal(drained_calls, 1);
	sw_bus_free(full);
	s = open_spool(4096, 0, 0);
	drain(s);
	got(0, 1);
	sw_spool_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_before_it_is_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bit_flips, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults_by_counting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_off, setup, teardown),
	};

	(void)rig_setup; /* no loop here */
	(void)rig_teardown;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
