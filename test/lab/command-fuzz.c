/*
 * Sends the core's device what no recorder sends: commands cut, doubled and
 * made of noise, reads and writes of odd lengths, mappings of odd places,
 * unknown ioctls, from several processes at once. Arguments: seconds, seed.
 * Ends with 0; what it did to the kernel is for others to see.
 */
#define _GNU_SOURCE
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
	"relaxed", "clean-room", "start", "stop", "check", "mark ", "mark \n",
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

int main(int count, char **arguments)
{
	time_t until = time(NULL) + (count > 1 ? atoi(arguments[1]) : 5);
	uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
	unsigned int n;
	int status, failed = 0;

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
