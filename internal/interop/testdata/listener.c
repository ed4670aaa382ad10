/* A subscriber as C sites run it: it does not parse. Any frame in which the bytes "iamalive" stand is a keep-alive, any
   other one is a notice, the broker's authenticate too, whose acknowledgement then names nobody.
   Usage: listener PORT COUNT; prints the IVORN of each notice, ends after COUNT of them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int whole(int fd, char *buf, size_t n) {
	size_t done = 0;
	while (done < n) {
		ssize_t r = read(fd, buf + done, n - done);
		if (r <= 0)
			return -1;
		done += (size_t)r;
	}
	return 0;
}

static int answer(int fd, const char *role, const char *origin) {
	char buf[2048];
	int n = snprintf(buf + 4, sizeof buf - 4,
		"<?xml version='1.0' encoding='UTF-8'?>\n<trn:Transport role=\"%s\" version=\"1.0\"\n"
		" xmlns:trn=\"http://telescope-networks.org/schema/Transport/v1.1\">\n"
		"<Origin>%s</Origin>\n<Response>ivo://c.example/listener</Response>\n<TimeStamp>2026-04-06T12:00:00</TimeStamp>\n"
		"<Meta><Param name=\"IPAddr\" value=\"127.0.0.1\"/><Result>Message received.</Result></Meta>\n</trn:Transport>\n",
		role, origin);
	uint32_t size = htonl((uint32_t)n);
	memcpy(buf, &size, 4);
	return write(fd, buf, (size_t)n + 4) == n + 4 ? 0 : -1;
}

int main(int argc, char **argv) {
	if (argc != 3)
		return 2;
	int count = atoi(argv[2]);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("connect");
		return 1;
	}
	static char payload[100001];
	while (count > 0) {
		uint32_t size;
		if (whole(fd, (char *)&size, 4) != 0)
			return 1;
		size = ntohl(size);
		if (size > 100000 || whole(fd, payload, size) != 0)
			return 1;
		payload[size] = 0;
		if (strstr(payload, "iamalive") || strstr(payload, "imalive")) {
			answer(fd, "iamalive", "");
			continue;
		}
		char ivorn[512] = "";
		char *at = strstr(payload, "ivorn=\"");
		if (at) {
			at += strlen("ivorn=\"");
			size_t n = strcspn(at, "\"");
			if (n >= sizeof ivorn)
				return 1;
			memcpy(ivorn, at, n);
			ivorn[n] = 0;
		}
		if (answer(fd, "ack", ivorn) != 0)
			return 1;
		if (*ivorn) {
			printf("notice %s\n", ivorn);
			fflush(stdout);
			count--;
		} else {
			printf("acknowledged something without an IVORN\n");
			fflush(stdout);
		}
	}
	return 0;
}
