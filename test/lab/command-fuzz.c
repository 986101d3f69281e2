/*
 * Sends the core's device what no recorder would send: commands cut, doubled and
 * made of noise, reads and writes of odd lengths, mappings of odd places,
 * unknown ioctls, from several processes at once. Arguments: seconds, seed.
 * Ends with 0; its caller looks at the kernel.
 *
 *	command-fuzz lengths
 *		tries sizes just within and just beyond the limits. Prints each
 *		answer that differs from docs/control-device.md; then ends with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/mmiostrider"
#define PROCESSES 4
#define AREA_BYTES (1u << 20)

static const char *const words[] = {
	"all", "range ", "range fe000000-fe000fff", "range 0-ffffffffffffffff",
	"range fff-0", "range -", "range 1-2 3", "exclude-wc", "ring ",
	"ring 65536", "ring 0", "ring 18446744073709551615", "ring 1073741825",
	"fence ", "fence 0123cdef", "relaxed", "clean-room", "arm", "start", "stop", "check", "mark ", "mark \n",
	"mark x", "unknown", "", " ", "\n", "\n\n", "start\nstop\n",
};

static uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return random64() % limit;
}

static size_t odd_length(void)
{
	static const size_t lengths[] = { 0, 1, 2, 63, 64, 65, 127, 4095, 4096, 4097, 65536, AREA_BYTES };

	return below(2) ? lengths[below(sizeof(lengths) / sizeof(*lengths))] : below(300);
}

static void command(int device, char *area)
{
	const char *word = words[below(sizeof(words) / sizeof(*words))];
	size_t length = strlen(word), n;

	memcpy(area, word, length);
	if (below(3) == 0)
		length = below(length + 1);
	if (below(3) == 0)
		length = odd_length();
	for (n = 0; below(2) && n < 3 && length; n++)
		area[below(length)] = (char)random64();
	if (below(2) && length < AREA_BYTES)
		area[length++] = '\n';
	(void)!write(device, area, length);
}

static void one_step(int device, char *area)
{
	struct pollfd poller = { .fd = device, .events = (short)random64() };
	size_t length = odd_length();
	void *mapped;

	switch (below(8)) {
	case 0:
		(void)!pread(device, area, length, (off_t)below(1 << 20));
		break;
	case 1:
		(void)!read(device, area, length);
		break;
	case 2:
		ioctl(device, random64(), area);
		break;
	case 3:
		mapped = mmap(NULL, length, (int)below(8), below(2) ? MAP_SHARED : MAP_PRIVATE,
			      device, (off_t)(below(64) * 4096));
		if (mapped != MAP_FAILED && length) {
			if (below(2))
				(void)!write(device, mapped, length);	/* the ring as a command */
			munmap(mapped, length);
		}
		break;
	case 4:
		poll(&poller, 1, 0);
		break;
	case 5:
		/* a pointer to nothing */
		(void)!write(device, (void *)(below(2) ? 8 : 0xffff800000000000ull), length);
		(void)!read(device, (void *)(below(2) ? 8 : 0xffff800000000000ull), length);
		break;
	default:
		command(device, area);
		break;
	}
}

static void run(time_t until)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	char *area = malloc(AREA_BYTES + 64);

	memset(area, 'r', AREA_BYTES + 64);
	while (time(NULL) < until) {
		int device = open(DEVICE, modes[below(3)] | O_NONBLOCK);
		unsigned int steps = (unsigned int)below(40);

		if (device < 0) {
			usleep(1000);
			continue;
		}
		while (steps--)
			one_step(device, area);
		close(device);
	}
	exit(0);
}

/* ---- Just within the limits, and just beyond ---- */

#define PAGE_BYTES 4096l
#define RING_BYTES 65536l
#define LINE_BYTES 1024

static int wrong;
/* volatile: otherwise the compiler would warn */
static void *volatile nowhere = (void *)8;

/* Checks a system call's result: -1 is an error, which must be `error`; 0 is none. */
static void expect(const char *what, long result, int error)
{
	int got = result == -1 ? errno : 0;

	if (got == error)
		return;
	printf("%s: %s, and not %s\n", what, strerror(got), strerror(error));
	wrong = 1;
}

static void expect_write(int device, const char *what, const char *line, size_t length, int error)
{
	long written = write(device, line, length);

	expect(what, written, error);
	if (written >= 0 && (size_t)written != length) {
		printf("%s: only %ld bytes were taken\n", what, written);
		wrong = 1;
	}
}

static void expect_map(int device, const char *what, size_t length, off_t offset, int error)
{
	void *shown = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, device, offset);

	expect(what, shown == MAP_FAILED ? -1 : 0, error);
	if (shown != MAP_FAILED)
		munmap(shown, length);
}

static void lengths(void)
{
	int recorder = open(DEVICE, O_RDWR | O_NONBLOCK), reader = open(DEVICE, O_RDONLY), marker = open(DEVICE, O_WRONLY);
	static char line[4 * LINE_BYTES], records[64 * 64];
	unsigned int n;

	expect("open", recorder < 0 || reader < 0 || marker < 0 ? -1 : 0, 0);
	expect("a second recorder", open(DEVICE, O_RDWR), EBUSY);
	expect("read before start", read(recorder, records, sizeof(records)), EBUSY);
	expect_map(recorder, "mmap before start", PAGE_BYTES, 0, EBUSY);
	expect_write(recorder, "range", "range fe000000-fe000fff", 23, 0);
	expect_write(recorder, "ring too small", "ring 65535", 10, EINVAL);
	expect_write(recorder, "ring too large", "ring 1073741825", 15, EINVAL);
	expect_write(recorder, "ring", "ring 65536\n", 11, 0);
	expect_write(recorder, "nothing", "", 0, EINVAL);
	expect_write(recorder, "a newline", "\n", 1, EINVAL);
	expect_write(recorder, "two lines", "all\nall\n", 8, EINVAL);
	expect_write(recorder, "a NUL in it", "all\0x", 5, EINVAL);
	expect_write(recorder, "a NUL behind it", "all\0", 4, EINVAL);
	expect_write(recorder, "a word too much", "all x", 5, EINVAL);
	expect_write(recorder, "a fence too short", "fence 0123cde", 13, EINVAL);
	expect_write(recorder, "a fence of other letters", "fence 0123cdeg", 14, EINVAL);
	expect_write(recorder, "fence", "fence 0123cdef", 14, 0);
	expect_write(recorder, "arm", "arm", 3, 0);
	expect_write(recorder, "arm again", "arm", 3, 0);
	expect_write(recorder, "a ring when armed", "ring 65536", 10, EBUSY);
	expect("read when armed", read(recorder, records, sizeof(records)), EBUSY);
	expect_map(recorder, "mmap when armed", PAGE_BYTES, 0, EBUSY);
	expect_write(recorder, "start", "start", 5, 0);
	expect_write(recorder, "start again", "start", 5, EBUSY);
	expect_write(recorder, "arm when recording", "arm", 3, EBUSY);

	memset(line, 'x', sizeof(line));
	memcpy(line, "mark ", 5);
	expect_write(marker, "the longest line", line, LINE_BYTES, 0);
	expect_write(marker, "a byte more", line, LINE_BYTES + 1, EMSGSIZE);
	expect_write(marker, "four times as much", line, sizeof(line), EMSGSIZE);
	line[LINE_BYTES - 1] = '\n';
	expect_write(marker, "the longest line with its newline", line, LINE_BYTES, 0);
	expect_write(marker, "a mark of two lines", "mark a\nb", 8, EINVAL);
	expect_write(marker, "a mark with a NUL", "mark a\0b", 8, EINVAL);
	expect_write(marker, "a marker's stop", "stop", 4, EPERM);
	expect_write(reader, "a reader's mark", "mark x", 6, EBADF);
	expect("a line from nowhere", write(marker, nowhere, 16), EFAULT);

	expect("a read of less than a record", read(recorder, records, 63), EINVAL);
	expect("a read of nothing", read(recorder, records, 0), EINVAL);
	expect("a read to nowhere", read(recorder, nowhere, 64), EFAULT);
	for (n = 0; n < 3; n++) {
		long got = read(recorder, records, 64 * (n + 1) + 63);

		expect("a read of records and a half", got, 0);
		if (got % 64 || got > 64 * (long)(n + 1)) {
			printf("%ld bytes of records where %u records fit\n", got, n + 1);
			wrong = 1;
		}
	}
	expect("an ioctl", ioctl(recorder, 0), ENOTTY);
	expect("an ioctl with a pointer", ioctl(recorder, _IOWR('m', 1, long), records), ENOTTY);
	expect("an ioctl of all ones", ioctl(recorder, ~0ul, records), ENOTTY);

	expect_map(recorder, "the whole ring", PAGE_BYTES + RING_BYTES, 0, 0);
	expect_map(recorder, "a byte of it", 1, 0, 0);
	expect_map(recorder, "its last page", PAGE_BYTES, RING_BYTES, 0);
	expect_map(recorder, "a byte more than the ring", PAGE_BYTES + RING_BYTES + 1, 0, EINVAL);
	expect_map(recorder, "the ring a page on", PAGE_BYTES + RING_BYTES, PAGE_BYTES, EINVAL);
	expect_map(recorder, "the page behind it", PAGE_BYTES, PAGE_BYTES + RING_BYTES, EINVAL);
	expect_map(recorder, "a gigabyte", 1l << 30, 0, EINVAL);
	expect_map(recorder, "the last page of all", PAGE_BYTES, 0x7ffffffffffff000l, EINVAL);
	expect_map(recorder, "half a page on", PAGE_BYTES, 2048, EINVAL);
	expect_map(marker, "a marker's map", PAGE_BYTES, 0, EACCES);
	expect("a reader's map", mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, reader, 0) == MAP_FAILED ? -1 : 0, EPERM);

	expect_write(recorder, "stop", "stop\n", 5, 0);
	expect_write(recorder, "stop again", "stop\n", 5, EBUSY);
	exit(wrong);
}

int main(int count, char **arguments)
{
	time_t until = time(NULL) + (count > 1 ? atoi(arguments[1]) : 5);
	uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
	unsigned int n;
	int status, failed = 0;

	if (count == 2 && !strcmp(arguments[1], "lengths"))
		lengths();
	for (n = 0; n < PROCESSES; n++) {
		if (fork() == 0) {
			state = (seed + n) * 0x9e3779b97f4a7c15ull + 1;
			run(until);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0;
}
