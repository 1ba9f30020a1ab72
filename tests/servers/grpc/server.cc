// The interop service on grpc++, with reflection and health. Prints "listening PORT", and on SIGTERM "calls N".
//   server [--cert FILE --key FILE [--client-ca FILE]] [--max-streams N] [--max-age-ms N] [--no-reflection]
#include "interop.grpc.pb.h"
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>

namespace {

std::atomic<long> calls{0};
int ended[2];  // a pipe: the signal handler writes, main waits

void wait_ms(int ms)
{
    if (ms > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

std::string bytes(int count)
{
    return std::string(count > 0 ? static_cast<size_t>(count) : 0, '\0');
}

grpc::Status status_of(const interop::End &end)
{
    return end.code() == 0 ? grpc::Status::OK : grpc::Status(static_cast<grpc::StatusCode>(end.code()), end.message());
}

void begin(grpc::ServerContext *context)
{
    calls++;
    for (const auto &field : context->client_metadata()) {
        std::string name(field.first.data(), field.first.size()), value(field.second.data(), field.second.size());
        if (name == "x-echo-initial")
            context->AddInitialMetadata(name, value);
        else if (name == "x-echo-trailing-bin")
            context->AddTrailingMetadata(name, value);
    }
}

class Service final : public interop::Interop::Service {
    grpc::Status Empty(grpc::ServerContext *context, const interop::Nothing *, interop::Nothing *) override
    {
        begin(context);
        return grpc::Status::OK;
    }

    grpc::Status Unary(grpc::ServerContext *context, const interop::Request *request, interop::Answer *answer) override
    {
        begin(context);
        wait_ms(request->delay_ms());
        answer->mutable_payload()->set_body(bytes(request->answer_bytes()));
        answer->set_received_bytes(static_cast<int>(request->payload().body().size()));
        answer->set_number(1);
        return status_of(request->end());
    }

    template <typename Stream>
    bool answer_parts(const interop::StreamRequest &request, Stream *stream, long *number)
    {
        for (const auto &part : request.parts()) {
            interop::Answer answer;
            wait_ms(part.delay_ms());
            answer.mutable_payload()->set_body(bytes(part.answer_bytes()));
            answer.set_received_bytes(static_cast<int>(request.payload().body().size()));
            answer.set_number(++*number);
            if (!stream->Write(answer))
                return false;
        }
        return true;
    }

    grpc::Status Download(grpc::ServerContext *context, const interop::StreamRequest *request,
                          grpc::ServerWriter<interop::Answer> *writer) override
    {
        long number = 0;
        begin(context);
        answer_parts(*request, writer, &number);
        return status_of(request->end());
    }

    grpc::Status Upload(grpc::ServerContext *context, grpc::ServerReader<interop::StreamRequest> *reader,
                        interop::Summary *summary) override
    {
        interop::StreamRequest request;
        begin(context);
        while (reader->Read(&request)) {
            summary->set_messages(summary->messages() + 1);
            summary->set_received_bytes(summary->received_bytes() + static_cast<long>(request.payload().body().size()));
            if (request.end().code() != 0)
                return status_of(request.end());
        }
        return grpc::Status::OK;
    }

    grpc::Status Duplex(grpc::ServerContext *context,
                        grpc::ServerReaderWriter<interop::Answer, interop::StreamRequest> *stream) override
    {
        interop::StreamRequest request;
        long number = 0;
        begin(context);
        while (stream->Read(&request))
            if (!answer_parts(request, stream, &number) || request.end().code() != 0)
                return status_of(request.end());
        return grpc::Status::OK;
    }
};

void on_signal(int)
{
    if (write(ended[1], "", 1) < 0)
        _exit(1);
}

std::string content(const char *path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Options {
    const char *cert = nullptr, *key = nullptr, *client_ca = nullptr;
    int max_streams = 0, max_age_ms = 0;
    bool reflection = true;
};

Options parse(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--no-reflection")) {
            options.reflection = false;
            continue;
        }
        if (!strcmp(argv[i], "--cert"))
            options.cert = value;
        else if (!strcmp(argv[i], "--key"))
            options.key = value;
        else if (!strcmp(argv[i], "--client-ca"))
            options.client_ca = value;
        else if (!strcmp(argv[i], "--max-streams"))
            options.max_streams = atoi(value);
        else if (!strcmp(argv[i], "--max-age-ms"))
            options.max_age_ms = atoi(value);
        else
            exit(2);
        i++;
    }
    return options;
}

std::shared_ptr<grpc::ServerCredentials> credentials(const Options &options)
{
    if (!options.cert)
        return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions ssl(options.client_ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                            : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    ssl.pem_key_cert_pairs.push_back({content(options.key), content(options.cert)});
    if (options.client_ca)
        ssl.pem_root_certs = content(options.client_ca);
    return grpc::SslServerCredentials(ssl);
}

}  // namespace

int main(int argc, char **argv)
{
    Options options = parse(argc, argv);
    Service service;
    grpc::ServerBuilder builder;
    int port = 0;
    char byte;
    if (options.reflection)
        grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::EnableDefaultHealthCheckService(true);
    builder.AddListeningPort("127.0.0.1:0", credentials(options), &port);
    builder.RegisterService(&service);
    builder.SetMaxReceiveMessageSize(16 << 20);
    if (options.max_streams)
        builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams);
    if (options.max_age_ms)
        builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, options.max_age_ms);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || pipe(ended) < 0)
        return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("listening %d\n", port);
    fflush(stdout);
    while (read(ended[0], &byte, 1) < 0)
        continue;
    server->Shutdown(std::chrono::system_clock::now());
    printf("calls %ld\n", calls.load());
    return 0;
}
