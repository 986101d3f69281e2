// Plays a second of samples that can be computed again: play DEVICE (an OSS one, /dev/dsp). check:drivers runs it in the lab's
// machine.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/soundcard.h>
#include <unistd.h>

enum { rate = 44100, frames = rate };

int main(int argc, char **argv)
{
	static int16_t samples[2 * frames];
	int format = AFMT_S16_LE, channels = 2, speed = rate, device;
	const char *at = (const char *)samples, *end = (const char *)(samples + 2 * frames);

	if (argc != 2)
		return 2;
	/* A different value at every place, so that a lost or doubled piece is noticed. */
	for (uint32_t frame = 0; frame < frames; frame++) {
		samples[2 * frame] = (int16_t)(frame * 2654435761u >> 16);
		samples[2 * frame + 1] = (int16_t)(frame & 0x7fff);
	}
	device = open(argv[1], O_WRONLY);
	if (device < 0 || ioctl(device, SNDCTL_DSP_SETFMT, &format) < 0 || ioctl(device, SNDCTL_DSP_CHANNELS, &channels) < 0 ||
	    ioctl(device, SNDCTL_DSP_SPEED, &speed) < 0) {
		perror(argv[1]);
		return 1;
	}
	if (format != AFMT_S16_LE || channels != 2 || speed != rate) {
		fprintf(stderr, "%s plays other samples: format %d, %d channels, %d Hz\n", argv[1], format, channels, speed);
		return 1;
	}
	while (at < end) {
		ssize_t written = write(device, at, end - at);

		if (written <= 0) {
			perror("write");
			return 1;
		}
		at += written;
	}
	if (ioctl(device, SNDCTL_DSP_SYNC, 0) < 0) {
		perror("SNDCTL_DSP_SYNC");
		return 1;
	}
	return close(device) < 0;
}
