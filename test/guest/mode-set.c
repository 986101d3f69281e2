// Sets a mode on a DRM device and shows a picture that can be computed again: mode-set DEVICE WIDTH HEIGHT. Prints "shown", and
// keeps the picture until standard input ends. check:drivers runs it in the lab's machine.
#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int card;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(unsigned long request, void *argument, const char *what)
{
	if (ioctl(card, request, argument) < 0)
		die(what);
}

/* Finds the first connector's mode of this size: returns its id, and the mode in *mode. */
static uint32_t find_mode(uint32_t connector, uint32_t width, uint32_t height, struct drm_mode_modeinfo *mode)
{
	static struct drm_mode_modeinfo modes[256];
	struct drm_mode_get_connector get = { .connector_id = connector };

	/* A call without room for an answer makes the kernel probe the connectors. */
	ask(DRM_IOCTL_MODE_GETCONNECTOR, &get, "GETCONNECTOR");
	if (get.count_modes == 0 || get.count_modes > 256)
		return 0;
	get = (struct drm_mode_get_connector){
		.connector_id = connector, .modes_ptr = (uintptr_t)modes, .count_modes = get.count_modes,
	};
	ask(DRM_IOCTL_MODE_GETCONNECTOR, &get, "GETCONNECTOR");
	for (uint32_t at = 0; at < get.count_modes; at++) {
		if (modes[at].hdisplay == width && modes[at].vdisplay == height) {
			*mode = modes[at];
			return connector;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t crtcs[16], connectors[16], width, height, connector = 0;
	struct drm_mode_card_res resources = {
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 16,
		.connector_id_ptr = (uintptr_t)connectors, .count_connectors = 16,
	};
	struct drm_mode_modeinfo mode;
	char end;

	if (argc != 4)
		return 2;
	width = strtoul(argv[2], NULL, 10);
	height = strtoul(argv[3], NULL, 10);
	card = open(argv[1], O_RDWR);
	if (card < 0)
		die(argv[1]);
	ask(DRM_IOCTL_MODE_GETRESOURCES, &resources, "GETRESOURCES");
	for (uint32_t at = 0; at < resources.count_connectors && connector == 0; at++)
		connector = find_mode(connectors[at], width, height, &mode);
	if (connector == 0 || resources.count_crtcs == 0) {
		fprintf(stderr, "no connector has the mode %ux%u\n", width, height);
		return 1;
	}

	struct drm_mode_create_dumb create = { .width = width, .height = height, .bpp = 32 };
	ask(DRM_IOCTL_MODE_CREATE_DUMB, &create, "CREATE_DUMB");
	struct drm_mode_map_dumb map = { .handle = create.handle };
	ask(DRM_IOCTL_MODE_MAP_DUMB, &map, "MAP_DUMB");
	uint32_t *pixels = mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, card, map.offset);
	if (pixels == MAP_FAILED)
		die("mmap");
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			pixels[y * (create.pitch / 4) + x] = (x & 255) << 16 | (y & 255) << 8 | ((x ^ y) & 255);

	struct drm_mode_fb_cmd frame = {
		.width = width, .height = height, .pitch = create.pitch, .bpp = 32, .depth = 24, .handle = create.handle,
	};
	ask(DRM_IOCTL_MODE_ADDFB, &frame, "ADDFB");
	struct drm_mode_crtc set = {
		.set_connectors_ptr = (uintptr_t)&connector, .count_connectors = 1, .crtc_id = crtcs[0],
		.fb_id = frame.fb_id, .mode_valid = 1, .mode = mode,
	};
	ask(DRM_IOCTL_MODE_SETCRTC, &set, "SETCRTC");
	puts("shown");
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	return 0;
}
