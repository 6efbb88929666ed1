/* The program of the cluster's tests: does one thing inside a pod.
 *   resolve NAME     prints the first IPv4 address of a name
 *   serve PORT TEXT  answers every TCP connection with the text
 *   fetch HOST PORT  prints what a server of that kind answers
 *   eat MIB          touches that much memory, then sleeps
 *   fill FILE MIB    writes a file of that size
 *   sleep            until it is told to end
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct addrinfo *lookup(const char *name, const char *port) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = 0;
    int error = getaddrinfo(name, port, &hints, &found);
    if (error) {
        fprintf(stderr, "%s: %s\n", name, gai_strerror(error));
        exit(1);
    }
    return found;
}

static int resolve(const char *name) {
    struct sockaddr_in *address = (struct sockaddr_in *)lookup(name, 0)->ai_addr;
    puts(inet_ntoa(address->sin_addr));
    return 0;
}

static int serve(const char *port, const char *text) {
    int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (void *)&address, sizeof address) || listen(server, 16)) {
        perror("serve");
        return 1;
    }
    puts("serving");
    fflush(stdout);
    for (;;) {
        int client = accept(server, 0, 0);
        if (client < 0)
            continue;
        dprintf(client, "%s\n", text);
        shutdown(client, SHUT_WR);
        close(client);
    }
}

static int fetch(const char *host, const char *port) {
    struct addrinfo *at = lookup(host, port);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    char text[512];
    ssize_t n;
    alarm(5);
    if (connect(server, at->ai_addr, at->ai_addrlen)) {
        perror(host);
        return 1;
    }
    while ((n = read(server, text, sizeof text)) > 0)
        if (write(1, text, n) != n)
            return 1;
    return 0;
}

static int eat(size_t mebibytes) {
    char *memory = malloc(mebibytes << 20);
    memset(memory, 1, mebibytes << 20);
    pause();
    return memory[0] != 1;
}

static int fill(const char *path, size_t mebibytes) {
    static char block[1 << 20];
    FILE *file = fopen(path, "w");
    while (file && mebibytes && fwrite(block, sizeof block, 1, file) == 1)
        mebibytes--;
    if (!file || mebibytes || fclose(file)) {
        perror(path);
        return 1;
    }
    puts("filled");
    return 0;
}

static void late(int signal) { (void)signal; _exit(3); }

static void end(int signal) { (void)signal; _exit(0); }

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    /* The first process of a container has no default actions. */
    signal(SIGTERM, end);
    signal(SIGALRM, late);
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(what, "resolve") && argc == 3)
        return resolve(argv[2]);
    if (!strcmp(what, "serve") && argc == 4)
        return serve(argv[2], argv[3]);
    if (!strcmp(what, "fetch") && argc == 4)
        return fetch(argv[2], argv[3]);
    if (!strcmp(what, "eat") && argc == 3)
        return eat(strtoul(argv[2], 0, 10));
    if (!strcmp(what, "fill") && argc == 4)
        return fill(argv[2], strtoul(argv[3], 0, 10));
    if (!strcmp(what, "sleep"))
        return pause() && 0;
    fprintf(stderr, "probe: resolve, serve, fetch, eat, fill or sleep\n");
    return 2;
}
