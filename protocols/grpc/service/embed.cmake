# cmake -D SET=descriptors -D OUT=file.c -P embed.cmake: a descriptor set as an array in C.
file(READ ${SET} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUT} "/* Made from the .proto files of the gRPC room's service. */
#include \"target_reflection.h\"

const uint8_t demo_descriptors[] = {
    ${bytes}
};
const size_t demo_descriptors_len = sizeof demo_descriptors;
")
