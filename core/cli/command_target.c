/* squall target: the embedded demo server. */
#include "cli/cli.h"
#include "target/command.h"

int command_target(int argc, char **argv)
{
    struct error error = {0};
    return target_command(argc, argv, target_servers, &error) < 0 ? cli_fail(&error) : EXIT_CODE_OK;
}
