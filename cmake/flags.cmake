# Compiler and linker flags. QA_FLAGS go to everything, QA_STRICT to src/ only (tests compare mixed integer types all the time and
# define functions that no header names).

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(QA_FLAGS -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla
  -fvisibility=hidden -fno-common
  # No path of the build machine in the bytes: two checkouts of a commit give the same binary.
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=.)
set(QA_STRICT -Wmissing-prototypes -Wconversion -Wno-sign-conversion)
if(QA_WERROR)
  list(APPEND QA_FLAGS -Werror)
endif()

if(QA_SANITIZE OR QA_FUZZ)
  set(sanitize ${QA_SANITIZE})
  if(QA_FUZZ)
    set(sanitize fuzzer-no-link,address,undefined)
  endif()
  list(APPEND QA_FLAGS -fsanitize=${sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitize})
elseif(CMAKE_BUILD_TYPE STREQUAL Release)
  list(APPEND QA_FLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
    -ffunction-sections -fdata-sections)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
    list(APPEND QA_FLAGS -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
    list(APPEND QA_FLAGS -mbranch-protection=standard)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--gc-sections)
endif()
add_link_options(-Wl,--as-needed)

set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")  # not -Og: xxhash.h forces inlining that -Og refuses
