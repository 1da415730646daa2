# generated/base/version.h: QA_VERSION "0.1.0" and QA_REVISION "3f2a91c80d1e" ("...-dirty" with local changes, "unknown" without git).
# Looked at in every build, written only when it changed; no date, so that the same commit gives the same bytes.
# Run as a script (cmake -P) it writes the header; included, it adds the target `version`.

if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git describe --always --dirty --abbrev=12 --match "v[0-9]*" WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE result)
  if(NOT result EQUAL 0 OR revision STREQUAL "")
    set(revision unknown)
  endif()
  set(text "#pragma once\n#define QA_VERSION \"${VERSION}\"\n#define QA_REVISION \"${revision}\"\n")
  set(old "")
  if(EXISTS ${HEADER})
    file(READ ${HEADER} old)
  endif()
  if(NOT text STREQUAL old)
    file(WRITE ${HEADER} "${text}")
  endif()
  return()
endif()

set(QA_VERSION_HEADER ${PROJECT_BINARY_DIR}/generated/base/version.h)
add_custom_target(version BYPRODUCTS ${QA_VERSION_HEADER}
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION} -DHEADER=${QA_VERSION_HEADER}
          -P ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "" VERBATIM)
