// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a fuzzing target without libFuzzer, for compilers that have only the
 * sanitizers: the inputs are lines of hexadecimal digits on standard input.
 * Each is also tried cut short at every length.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_BYTES_MAX 8192

int main(void)
{
	static char line[LINE_BYTES_MAX];
	static uint8_t bytes[LINE_BYTES_MAX / 2];
	unsigned long inputs = 0;

	while (fgets(line, sizeof(line), stdin)) {
		size_t digits = strspn(line, "0123456789abcdef");
		size_t n, size = digits / 2;

		for (n = 0; n < size; n++) {
			unsigned int byte;

			if (sscanf(line + 2 * n, "%2x", &byte) != 1)
				return 2;
			bytes[n] = (uint8_t)byte;
		}
		for (n = 0; n <= size; n++)
			LLVMFuzzerTestOneInput(bytes, n);
		inputs++;
	}
	printf("%lu inputs\n", inputs);
	return 0;
}
