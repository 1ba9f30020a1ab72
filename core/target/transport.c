/* Sockets of the target's clients, with TLS or without: see transport.h. */
#include "target/transport.h"
#include "base/exit_code.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server's side of a handshake ---- */

/* The first of ours that the client offers too (RFC 7301, 3.2). A client that offers none gets none. */
static int on_alpn(SSL *tls, const unsigned char **ret_name, unsigned char *ret_len, const unsigned char *offered,
                   unsigned offered_len, void *arg)
{
    (void)tls;
    for (const char *name = arg; *name;) {
        size_t len = strcspn(name, ",");
        for (unsigned at = 0; at < offered_len; at += offered[at] + 1u) {
            if (offered[at] != len || memcmp(offered + at + 1, name, len) != 0)
                continue;
            *ret_name = offered + at + 1;
            *ret_len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
        name += len + (name[len] == ',');
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Good for localhost, for ten years from yesterday: clocks of containers differ. */
static X509 *self_signed(EVP_PKEY *key)
{
    const int names[] = {NID_subject_alt_name, NID_basic_constraints};
    const char *const values[] = {"DNS:localhost,IP:127.0.0.1,IP:::1", "critical,CA:TRUE"};
    X509 *certificate = X509_new();
    X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
    bool ok = name && X509_set_version(certificate, 2) && ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -86400L) &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 3650 * 86400L) &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) &&
              X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key);
    for (size_t i = 0; ok && i < 2; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, names[i], values[i]);
        ok = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    if (ok && X509_sign(certificate, key, EVP_sha256()))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static int use_self_signed(SSL_CTX *context, struct error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key ? self_signed(key) : NULL;
    bool ok =
        certificate && SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (ok)
        return 0;
    return error_set_code(error, EXIT_CODE_INTERNAL,
                          "--tls: OpenSSL could not make a certificate: give one with --cert");
}

static int use_files(SSL_CTX *context, const char *cert, const char *key, struct error *error)
{
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return error_set(error, "--cert %s: holds no certificate that OpenSSL takes: give a PEM file", cert);
    if (SSL_CTX_use_PrivateKey_file(context, key ? key : cert, SSL_FILETYPE_PEM) != 1)
        return error_set(error, "--%s %s: holds no private key of that certificate: name its PEM file with --key",
                         key ? "key" : "cert", key ? key : cert);
    return 0;
}

int transport_context(const char *cert, const char *key, const char *alpn, SSL_CTX **ret_context, struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return error_set_code(error, EXIT_CODE_INTERNAL, "--tls: OpenSSL gave no context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF); /* clients that just close are not at fault */
    SSL_CTX_set_read_ahead(context, 1);                         /* one read a record, and not two */
    if (*alpn)
        SSL_CTX_set_alpn_select_cb(context, on_alpn, (void *)(uintptr_t)alpn);
    int status = cert ? use_files(context, cert, key, error) : use_self_signed(context, error);
    ERR_clear_error();
    if (status)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return status;
}

void transport_context_free(SSL_CTX *context)
{
    SSL_CTX_free(context);
}

/* ---- a client's session ---- */

int transport_begin(struct transport *transport, int fd, SSL_CTX *context)
{
    *transport = (struct transport){.fd = fd, .up = !context, .blocked = true};
    if (!context)
        return 0;
    transport->tls = SSL_new(context);
    if (!transport->tls || SSL_set_fd(transport->tls, fd) != 1)
        return -1;
    SSL_set_accept_state(transport->tls);
    return 0;
}

/* What a call of OpenSSL has come to that did not do all. */
static ssize_t status_of(struct transport *transport, int returned)
{
    int why = SSL_get_error(transport->tls, returned);
    ERR_clear_error();
    transport->wants_write = why == SSL_ERROR_WANT_WRITE;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return TRANSPORT_BLOCKED;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : TRANSPORT_FAILED;
}

ssize_t transport_receive(struct transport *transport, uint8_t *data, size_t size)
{
    if (transport->tls) {
        int count = SSL_read(transport->tls, data, size < INT32_MAX ? (int)size : INT32_MAX);
        transport->up = transport->up || SSL_is_init_finished(transport->tls);
        transport->wants_write = false;
        transport->blocked = count <= 0;
        return count > 0 ? count : status_of(transport, count);
    }
    ssize_t count = recv(transport->fd, data, size, 0);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? TRANSPORT_BLOCKED : TRANSPORT_FAILED;
}

/* Over TLS a record a call, as OpenSSL does it: all that goes is sent here, so that callers need not know. */
static ssize_t send_records(SSL *tls, struct transport *transport, const uint8_t *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        size_t part = len - sent;
        int count = SSL_write(tls, data + sent, part < INT32_MAX ? (int)part : INT32_MAX);
        if (count <= 0) {
            ssize_t status = status_of(transport, count);
            transport->wants_write = false; /* what there is to send is watched for anyway */
            return sent ? (ssize_t)sent : status ? status : TRANSPORT_FAILED;
        }
        sent += (size_t)count;
    }
    return (ssize_t)sent;
}

ssize_t transport_send(struct transport *transport, const uint8_t *data, size_t len)
{
    if (transport->tls)
        return send_records(transport->tls, transport, data, len);
    ssize_t count = send(transport->fd, data, len, MSG_NOSIGNAL);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? TRANSPORT_BLOCKED : TRANSPORT_FAILED;
}

struct squall_bytes transport_alpn(const struct transport *transport)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    if (transport->tls)
        SSL_get0_alpn_selected(transport->tls, &name, &len);
    return (struct squall_bytes){name, len};
}

void transport_shutdown(struct transport *transport)
{
    if (transport->tls && transport->up) {
        SSL_shutdown(transport->tls);
        ERR_clear_error();
    }
    shutdown(transport->fd, SHUT_WR);
}

void transport_end(struct transport *transport)
{
    SSL_free(transport->tls);
    transport->tls = NULL;
    close(transport->fd);
}
