/*
 * Reads the core's ring as docs/control-device.md describes, in a program that shares nothing with ours except the
 * record's definition:
 *
 *	ring-reader same FIRST-LAST COMMAND
 *		records while COMMAND runs; mmap() must then show the same records as read().
 *	ring-reader through FIRST-LAST COMMAND FILE
 *		copies the records through mmap() into FILE while COMMAND runs, from a ring too small to hold them all.
 *
 * Prints its findings on standard output, in one line; prints faults on standard error, and then ends with 1.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../core/record.h"

#define PAGE_BYTES 4096

static int device;
static volatile struct mms_ring_head *head;
static const struct mms_record *records;

static void must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "ring-reader: not so: %s\n", what);
	exit(1);
}

static void command(const char *line)
{
	if (write(device, line, strlen(line)) == (ssize_t)strlen(line))
		return;
	perror(line);
	exit(1);
}

static void begin(const char *range, size_t ring_bytes)
{
	char line[128];
	void *shown;

	device = open("/dev/mmiostrider", O_RDWR);
	must(device >= 0, "/dev/mmiostrider can be opened");
	snprintf(line, sizeof(line), "range %s\n", range);
	command(line);
	snprintf(line, sizeof(line), "ring %zu", ring_bytes);
	command(line);
	command("clean-room");
	must(mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, device, 0) == MAP_FAILED, "there is no ring before start");
	command("start");
	shown = mmap(NULL, PAGE_BYTES + ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
	must(shown != MAP_FAILED, "the ring can be mapped");
	must(mmap(NULL, 2 * PAGE_BYTES + ring_bytes, PROT_READ, MAP_SHARED, device, 0) == MAP_FAILED,
	     "nothing behind the ring can be mapped");
	head = shown;
	records = (const struct mms_record *)((char *)shown + PAGE_BYTES);
	must(head->magic == MMS_RING_MAGIC && head->abi_version == MMS_ABI_VERSION, "magic and version");
	must(head->record_bytes == sizeof(struct mms_record), "the record's size");
	must(head->records_max == ring_bytes / sizeof(struct mms_record), "the ring's size");
	must(head->read == 0, "nothing was taken out yet");
}

/* Returns the record at place `at` if it is complete, else NULL. */
static const struct mms_record *complete(__u64 at)
{
	const struct mms_record *record = &records[at & (head->records_max - 1)];

	return __atomic_load_n(&record->sequence, __ATOMIC_ACQUIRE) == at + 1 ? record : NULL;
}

static void same(const char *range, const char *work)
{
	size_t ring_bytes = 4 << 20, count = 0, done = 0;
	struct mms_record *shown, *given;
	struct pollfd event;
	ssize_t got;

	begin(range, ring_bytes);
	must(system(work) == 0, work);
	command("stop");
	shown = malloc(ring_bytes);
	given = malloc(ring_bytes + sizeof(*given));
	while (count < head->records_max && complete(count)) {
		shown[count] = *complete(count);
		count++;
	}
	must(count == head->written, "all that was written is complete");
	must(head->lost == 0, "nothing was lost");
	/* an odd size: whole records only */
	while ((got = read(device, (char *)given + done, 1000)) > 0) {
		must(got % sizeof(*given) == 0, "read() gives whole records");
		done += got;
	}
	must(got == 0, "read() ends with 0");
	must(done == count * sizeof(*given), "read() gives as many as mmap() shows");
	must(memcmp(shown, given, done) == 0, "read() gives what mmap() shows");
	must(head->read == count, "read() says what it took");
	event = (struct pollfd){ .fd = device, .events = POLLIN };
	must(poll(&event, 1, 0) == 1 && event.revents == POLLHUP, "poll() says POLLHUP after the end");
	printf("%zu records, the same both ways\n", count);
}

static __u64 take(__u64 at, FILE *file)
{
	const struct mms_record *record;

	while ((record = complete(at))) {
		must(fwrite(record, sizeof(*record), 1, file) == 1, "the file can be written");
		at++;
		__atomic_store_n(&head->read, at, __ATOMIC_RELEASE);
	}
	return at;
}

static void through(const char *range, const char *work, const char *path)
{
	FILE *file = fopen(path, "w");
	__u64 at = 0;
	pid_t child;
	int end;

	must(file != NULL, "the file can be made");
	begin(range, 128 << 10);
	child = fork();
	if (child == 0)
		exit(system(work) ? 1 : 0);
	while (waitpid(child, &end, WNOHANG) == 0) {
		struct pollfd event = { .fd = device, .events = POLLIN };

		must(poll(&event, 1, 20) >= 0, "poll() waits");
		at = take(at, file);
	}
	must(end == 0, work);
	command("stop");
	at = take(at, file);
	must(at == head->written, "all that was written was taken");
	must(fclose(file) == 0, "the file can be written");
	printf("%llu records through a ring of %u, %llu lost\n", (unsigned long long)at, head->records_max,
	       (unsigned long long)head->lost);
}

int main(int count, char **words)
{
	if (count == 4 && !strcmp(words[1], "same"))
		same(words[2], words[3]);
	else if (count == 5 && !strcmp(words[1], "through"))
		through(words[2], words[3], words[4]);
	else
		return 2;
	return 0;
}
