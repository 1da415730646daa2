# External libraries: the one place where src/ meets its dependencies (dependencies.txt says why each).

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(QA_PC REQUIRED IMPORTED_TARGET
  sqlite3>=3.40 jansson>=2.14 md4c>=0.4.8 libfyaml>=0.7.12 libxxhash>=0.8 libedit libcurl>=7.87 libarchive>=3.6 libcrypto>=3.0)
set(QA_LIBRARIES PkgConfig::QA_PC Threads::Threads m)

# Debian ships no pkg-config file for these two.
foreach(pair IN ITEMS "unistring uniwbrk.h" "stemmer libstemmer.h")
  separate_arguments(pair)
  list(GET pair 0 name)
  list(GET pair 1 header)
  find_library(QA_LIB_${name} ${name} REQUIRED)
  find_path(QA_INC_${name} ${header} REQUIRED)
  mark_as_advanced(QA_LIB_${name} QA_INC_${name})
  list(APPEND QA_LIBRARIES ${QA_LIB_${name}})
endforeach()
