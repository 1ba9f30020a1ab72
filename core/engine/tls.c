/*
 * TLS by OpenSSL: one context a target, one session a connection; certificates of users; why a handshake failed, in words
 * that say what to change. Verification is on unless the scenario switches it off.
 */
#include "engine/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For the connection's next session. The identity, once read: reading files is not for the time of load. */
struct tls_kept {
    X509 *certificate; /* NULL: not read yet, or there is none */
    EVP_PKEY *key;
    STACK_OF(X509) *chain; /* or NULL */
    SSL_SESSION *session; /* to be resumed; NULL: none */
};

static struct tls_kept *kept_of(struct conn *conn)
{
    if (!conn->kept)
        conn->kept = xcalloc(1, sizeof *conn->kept);
    return conn->kept;
}

/* ---- the context of a target ---- */

/* ALPN as the wire wants it (RFC 7301 3.1): each name with its length before it. */
static int alpn_wire(const char *names, unsigned char *wire, size_t size, unsigned *ret_len)
{
    size_t used = 0;
    while (*names) {
        size_t len = strcspn(names, ",");
        if (len == 0 || len > 255 || used + len + 1 > size)
            return -1;
        wire[used] = (unsigned char)len;
        memcpy(wire + used + 1, names, len);
        used += len + 1;
        names += len + (names[len] == ',');
    }
    *ret_len = (unsigned)used;
    return 0;
}

static int set_alpn(SSL_CTX *context, const struct target *target, struct error *error)
{
    unsigned char wire[256];
    unsigned len = 0;
    const char *names = target->view.alpn ? target->view.alpn : target->protocol->abi.alpn;
    if (names && *names && (alpn_wire(names, wire, sizeof wire, &len) < 0 || SSL_CTX_set_alpn_protos(context, wire, len) != 0))
        return error_set(error, "target %s: the plugin's ALPN list \"%s\" is not valid", target->name, names);
    return 0;
}

static int set_trust(SSL_CTX *context, const struct target *target, struct error *error)
{
    SSL_CTX_set_verify(context, target->tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!target->tls_ca)
        SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_locations(context, target->tls_ca, NULL) != 1)
        return error_set(error, "target %s: %s holds no certificate that OpenSSL can read; give a PEM file", target->name, target->tls_ca);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    if (target->tls_ca) /* who is named there is trusted, root or not */
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (!target->tls_crl)
        return 0;
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, target->tls_crl, X509_FILETYPE_PEM) <= 0)
        return error_set(error, "target %s: %s holds no revocation list that OpenSSL can read; give a PEM file (X509 CRL)", target->name,
                         target->tls_crl);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return 0;
}

/* Called while the peer's ticket is read; the connection's next session begins with it. Takes the session. */
static int on_session(SSL *tls, SSL_SESSION *session)
{
    struct tls_kept *kept = kept_of(SSL_get_app_data(tls));
    SSL_SESSION_free(kept->session);
    kept->session = session;
    return 1;
}

static void set_sessions(SSL_CTX *context, const struct target *target)
{
    SSL_CTX_set_session_cache_mode(context,
                                   target->tls_session_reuse ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (target->tls_session_reuse)
        SSL_CTX_sess_set_new_cb(context, on_session);
}

struct squall_bytes tls_alpn(const struct conn *conn)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    if (conn->tls)
        SSL_get0_alpn_selected(conn->tls, &name, &len);
    return (struct squall_bytes){name, len};
}

int tls_context(const struct target *target, SSL_CTX **ret_context, struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return error_set_code(error, EXIT_CODE_INTERNAL, "target %s: OpenSSL gave no context", target->name);
    SSL_CTX_set_min_proto_version(context, target->tls_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* Many servers close without close_notify; whether an answer is whole is the protocol's to say. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context, 1); /* one read a record, and not one for its head and one for its body */
    set_sessions(context, target);
    int status = set_trust(context, target, error) < 0 || set_alpn(context, target, error) < 0 ? -1 : 0;
    ERR_clear_error();
    if (status < 0)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return status;
}

/* ---- certificates of ours ---- */

static const char *server_name(const struct target *target)
{
    return target->tls_server_name ? target->tls_server_name : target->host;
}

static int path_of(struct conn *conn, const struct template *name, char **ret_path, struct error *error)
{
    struct engine *engine = conn->pool->engine;
    struct eval eval = {.scratch = &engine->scratch};
    if (conn->owner)
        eval = variables_eval(conn->owner, NULL);
    arena_reset(&engine->scratch);
    return scenario_file(conn->pool->target->folder, (const char *)template_render(name, &eval).data, ret_path, error);
}

static int load_identity(struct conn *conn, char *text, size_t size)
{
    const struct target *target = conn->pool->target;
    char *cert = NULL, *key = NULL;
    struct error error;
    int status = -1;
    if (path_of(conn, target->tls_cert, &cert, &error) < 0 ||
        path_of(conn, target->tls_key ? target->tls_key : target->tls_cert, &key, &error) < 0)
        snprintf(text, size, "TLS: %s", error.text);
    else if (SSL_use_certificate_chain_file(conn->tls, cert) != 1)
        snprintf(text, size, "TLS: cert: %.80s holds no certificate that OpenSSL takes: give a PEM file", cert);
    else if (SSL_use_PrivateKey_file(conn->tls, key, SSL_FILETYPE_PEM) != 1)
        snprintf(text, size, "TLS: %.80s holds no private key of that certificate: name its PEM file with key:", key);
    else
        status = 0;
    free(cert);
    free(key);
    if (status < 0)
        return -1;
    struct tls_kept *identity = kept_of(conn);
    STACK_OF(X509) *chain = NULL;
    identity->certificate = SSL_get_certificate(conn->tls);
    X509_up_ref(identity->certificate);
    identity->key = SSL_get_privatekey(conn->tls);
    EVP_PKEY_up_ref(identity->key);
    SSL_get0_chain_certs(conn->tls, &chain);
    identity->chain = chain ? X509_chain_up_ref(chain) : NULL;
    return 0;
}

static int use_identity(struct conn *conn, char *text, size_t size)
{
    const struct tls_kept *identity = conn->kept;
    if (!conn->pool->target->tls_cert)
        return 0;
    if (!identity || !identity->certificate)
        return load_identity(conn, text, size);
    if (SSL_use_cert_and_key(conn->tls, identity->certificate, identity->key, identity->chain, 1) == 1)
        return 0;
    snprintf(text, size, "TLS: OpenSSL did not take the certificate again");
    return -1;
}

static const char *kept_path(struct engine *engine, char *path)
{
    const char *kept = arena_copy(&engine->tls_scratch, path, strlen(path));
    free(path);
    return kept;
}

int tls_tell(struct conn *conn, struct squall_tls *ret_tls, struct error *error)
{
    const struct target *target = conn->pool->target;
    struct engine *engine = conn->pool->engine;
    char *path;
    arena_reset(&engine->tls_scratch);
    *ret_tls = (struct squall_tls){.ca = target->tls_ca, .server_name = server_name(target), .insecure = target->tls_insecure};
    if (!target->tls_cert)
        return 0;
    if (path_of(conn, target->tls_cert, &path, error) < 0)
        return -1;
    ret_tls->cert = kept_path(engine, path);
    if (path_of(conn, target->tls_key ? target->tls_key : target->tls_cert, &path, error) < 0)
        return -1;
    ret_tls->key = kept_path(engine, path);
    return 0;
}

void tls_forget(struct conn *conn)
{
    if (!conn->kept)
        return;
    SSL_SESSION_free(conn->kept->session);
    X509_free(conn->kept->certificate);
    EVP_PKEY_free(conn->kept->key);
    sk_X509_pop_free(conn->kept->chain, X509_free);
    free(conn->kept);
    conn->kept = NULL;
}

/* ---- what went wrong ---- */

struct text_row {
    long code;
    const char *text;
};
#define TEXTS(table) table, sizeof(table) / sizeof(table[0])

static const char *find_text(const struct text_row *rows, size_t count, long code)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].code == code)
            return rows[i].text;
    return NULL;
}

static const char *const untrusted = "no authority that we trust has signed the server's certificate: name it with tls: { ca: FILE } (--ca), or "
                                     "have the server send what leads to a known one";
static const char *const weak = "the server's certificate is too weak (key or signature): it needs RSA 2048 or EC 256, and SHA-256";

/* What is wrong with the server's certificate (X509_V_*). %s of the name: what it should bear. */
static const char *certificate_text(long code)
{
    static const struct text_row rows[] = {
        {X509_V_ERR_CERT_HAS_EXPIRED, "the server's certificate has expired: renew it there"},
        {X509_V_ERR_CERT_NOT_YET_VALID, "the server's certificate is not valid yet: look at its dates, and at this machine's clock"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "the server's certificate is self-signed: trust it with tls: { ca: FILE } (--ca), or any certificate with tls: { insecure: true } (-k)"},
        {X509_V_ERR_CERT_REVOKED, "the server's certificate is revoked by the `crl`: it needs a new one"},
        {X509_V_ERR_UNABLE_TO_GET_CRL, "the `crl` says nothing of the server's issuer: give the list of that authority"},
        {X509_V_ERR_CRL_HAS_EXPIRED, "the `crl` has expired: fetch the present one"},
        {X509_V_ERR_CRL_NOT_YET_VALID, "the `crl` is not valid yet: look at its dates, and at this machine's clock"},
        {X509_V_ERR_INVALID_CA, "the server's certificate is signed by a certificate that is no authority: get one from an authority"},
        {X509_V_ERR_INVALID_PURPOSE, "the server's certificate is not made for servers: look at its extended key usage"},
    };
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return untrusted;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return weak;
    default:
        return find_text(TEXTS(rows), code);
    }
}

/* Alerts that the server sent (RFC 8446 6), by their number. */
static const char *alert_text(int alert)
{
    static const struct text_row rows[] = {
        {SSL_AD_HANDSHAKE_FAILURE, "the server agrees to no cipher of ours, or wants a client certificate: see tls: { cert: FILE }"},
        {SSL_AD_BAD_CERTIFICATE, "the server refuses our certificate: it may be missing; see tls: { cert: FILE }"},
        {SSL_AD_UNSUPPORTED_CERTIFICATE, "the server does not take our kind of certificate: see tls: { cert: FILE }"},
        {SSL_AD_CERTIFICATE_REVOKED, "the server says that our certificate is revoked: give another with tls: { cert: FILE }"},
        {SSL_AD_CERTIFICATE_EXPIRED, "the server says that our certificate has expired: give another with tls: { cert: FILE }"},
        {SSL_AD_CERTIFICATE_UNKNOWN, "the server refuses our certificate: give another with tls: { cert: FILE }"},
        {SSL_AD_UNKNOWN_CA, "the server does not trust who signed our certificate: give another with tls: { cert: FILE }"},
        {SSL_AD_ACCESS_DENIED, "the server refuses the owner of our certificate"},
        {SSL_AD_DECRYPT_ERROR, "the server could not verify our signature: do tls: { cert, key } belong together?"},
        {SSL_AD_PROTOCOL_VERSION, "the server speaks no version of TLS that we take: see tls: { min-version: 1.2 }"},
        {SSL_AD_INSUFFICIENT_SECURITY, "the server wants stronger ciphers than ours"},
        {SSL_AD_UNRECOGNIZED_NAME, "the server does not know the name that we asked for: see tls: { server-name: NAME }"},
        {SSL_AD_CERTIFICATE_REQUIRED, "the server wants a client certificate: give one with tls: { cert: FILE }"},
        {SSL_AD_NO_APPLICATION_PROTOCOL, "the server speaks none of the protocols that we offer (ALPN): is it the right port?"},
    };
    return find_text(TEXTS(rows), alert);
}

static const char *library_text(int reason)
{
    static const struct text_row rows[] = {
        {SSL_R_UNSUPPORTED_PROTOCOL, "the server's version of TLS is lower than we take: see tls: { min-version: 1.2 }"},
        {SSL_R_WRONG_SSL_VERSION, "the server's version of TLS is lower than we take: see tls: { min-version: 1.2 }"},
        {SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS on this port: use the plain scheme, or another port"},
        {SSL_R_PACKET_LENGTH_TOO_LONG, "the server does not speak TLS on this port: use the plain scheme, or another port"},
        {SSL_R_DH_KEY_TOO_SMALL, "the server's key exchange is too weak: it needs DH 2048 or an elliptic curve"},
        {SSL_R_NO_PROTOCOLS_AVAILABLE, "this machine's OpenSSL forbids every version that the scenario takes: see openssl.cnf"},
    };
    if (reason == SSL_R_EE_KEY_TOO_SMALL || reason == SSL_R_CA_KEY_TOO_SMALL || reason == SSL_R_CA_MD_TOO_WEAK)
        return weak;
    return find_text(TEXTS(rows), reason);
}

/* Whoever has spoken TLS here before speaks it still. */
static const char *ended_text(const struct conn *conn)
{
    return conn->pool->ever_up ? "the server ended the connection during the handshake, as it has not done with others: has it too many?"
                               : "the server ended the connection during the handshake: does it speak TLS on this port?";
}

/* Empties OpenSSL's queue of errors. */
static void failure_text(struct conn *conn, char *text, size_t size)
{
    const struct target *target = conn->pool->target;
    long verified = SSL_get_verify_result(conn->tls);
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    const char *found;
    conn->pool->untrusted |= verified != X509_V_OK && !target->tls_insecure;
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(text, size, "TLS: the server's certificate is not for %.60s: see tls: { server-name: NAME }", server_name(target));
    else if (verified != X509_V_OK && !target->tls_insecure)
        snprintf(text, size, "TLS: %s", (found = certificate_text(verified)) ? found : X509_verify_cert_error_string(verified));
    else if (!code || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        snprintf(text, size, "TLS: %s", ended_text(conn));
    else if ((found = reason > SSL_AD_REASON_OFFSET ? alert_text(reason - SSL_AD_REASON_OFFSET) : library_text(reason)))
        snprintf(text, size, "TLS: %s", found);
    else
        snprintf(text, size, "TLS: %s", (found = ERR_reason_error_string(code)) ? found : ended_text(conn));
    ERR_clear_error();
}

/* ---- sessions ---- */

static int begin(struct conn *conn, char *text, size_t size)
{
    const struct target *target = conn->pool->target;
    const char *name = server_name(target);
    struct in6_addr address;
    snprintf(text, size, "TLS: OpenSSL could not start a session");
    conn->tls = SSL_new(conn->pool->tls_context);
    if (!conn->tls || SSL_set_fd(conn->tls, conn->fd) != 1)
        return -1;
    SSL_set_app_data(conn->tls, conn);
    bool numeric = inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
    /* RFC 6066 3: no SNI for literal addresses; the certificate must then name the address. */
    if (numeric)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(conn->tls), name);
    else if (SSL_set_tlsext_host_name(conn->tls, name) != 1 || SSL_set1_host(conn->tls, name) != 1)
        return -1;
    if (use_identity(conn, text, size) < 0)
        return -1;
    if (conn->kept && conn->kept->session)
        SSL_set_session(conn->tls, conn->kept->session);
    SSL_set_connect_state(conn->tls);
    return 0;
}

enum stream_status tls_handshake(struct conn *conn, char *text, size_t size)
{
    if (!conn->tls && begin(conn, text, size) < 0) {
        ERR_clear_error();
        return STREAM_FAILED;
    }
    int status = SSL_do_handshake(conn->tls);
    if (status == 1)
        return STREAM_OK;
    int why = SSL_get_error(conn->tls, status);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        conn->write_blocked = why == SSL_ERROR_WANT_WRITE;
        return STREAM_BLOCKED;
    }
    if (why == SSL_ERROR_SYSCALL && errno == ECONNRESET)
        snprintf(text, size, "TLS: the server reset the connection during the handshake: does it speak TLS on this port?");
    else
        failure_text(conn, text, size);
    ERR_clear_error();
    return STREAM_FAILED;
}

enum stream_status tls_status(struct conn *conn, int returned)
{
    int why = SSL_get_error(conn->tls, returned);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return STREAM_BLOCKED;
    if (why == SSL_ERROR_ZERO_RETURN)
        return STREAM_END;
    /* In TLS 1.3 a server's no to our certificate comes behind the handshake, in place of the first answer. */
    if (why == SSL_ERROR_SSL) {
        char text[160];
        failure_text(conn, text, sizeof text);
        conn_fail(conn, text);
    }
    ERR_clear_error();
    return STREAM_FAILED;
}

/* Buffers are given back by themselves when they have held data; but a ticket's arrival makes OpenSSL take a write buffer,
 * and keep it until the next write. Tickets come by themselves or with a connection's first answer. */
void tls_idle(struct conn *conn)
{
    SSL_free_buffers(conn->tls);
}

void tls_end(struct conn *conn, bool reset)
{
    if (!reset && SSL_is_init_finished(conn->tls))
        SSL_shutdown(conn->tls); /* close_notify as far as it goes; RFC 8446 6.1 asks for no answer */
    SSL_free(conn->tls);
    conn->tls = NULL;
    ERR_clear_error();
}
