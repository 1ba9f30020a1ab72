/* The seam to the rooms that serve in `squall target`, under the name by which core and the generated table of rooms
 * know it. */
#ifndef SQUALL_TARGET_SERVER_H
#define SQUALL_TARGET_SERVER_H
#include <squall/server.h>
#endif
