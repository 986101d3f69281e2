// SPDX-License-Identifier: GPL-2.0
/*
 * Maps a device's file, as programs with drivers of their own do, and reads the
 * first word of each page:
 *
 *	device-mapper FILE OFFSET BYTES [TIMES]
 *	device-mapper hold FILE OFFSET BYTES	until it is killed
 *
 * Prints the process's number.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096

static volatile uint32_t *map(int file, off_t offset, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file,
			offset);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

static uint32_t touch(const volatile uint32_t *at, size_t bytes)
{
	uint32_t sum = 0;

	for (size_t n = 0; n < bytes; n += PAGE_BYTES)
		sum += at[n / sizeof(*at)];
	return sum;
}

int main(int count, char **words)
{
	int hold = count > 1 && !strcmp(words[1], "hold");
	int times;

	if (count - hold < 4)
		return 2;
	words += hold;
	times = count - hold > 4 ? atoi(words[4]) : 1;

	int file = open(words[1], O_RDWR | O_SYNC);

	if (file < 0) {
		perror(words[1]);
		return 1;
	}

	off_t offset = strtoull(words[2], NULL, 0);
	size_t bytes = strtoull(words[3], NULL, 0);

	printf("%d\n", getpid());
	fflush(stdout);
	while (times-- > 0) {
		volatile uint32_t *at = map(file, offset, bytes);

		touch(at, bytes);
		if (hold)
			pause();
		munmap((void *)at, bytes);
	}
	return 0;
}
