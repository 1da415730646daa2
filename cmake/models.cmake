# generated/model/builtin.c: models.conf as an array of bytes. Run as a script (cmake -P) it writes the file; included, it adds the rule.

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${CONF} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(WRITE ${OUT} "#include \"model/builtin.h\"\nconst unsigned char model_builtin[] = {${bytes}};\nconst size_t model_builtin_size = sizeof model_builtin;\n")
  return()
endif()

set(QA_MODELS_C ${PROJECT_BINARY_DIR}/generated/model/builtin.c)
add_custom_command(OUTPUT ${QA_MODELS_C}
  COMMAND ${CMAKE_COMMAND} -DCONF=${PROJECT_SOURCE_DIR}/models.conf -DOUT=${QA_MODELS_C} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${PROJECT_SOURCE_DIR}/models.conf ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "" VERBATIM)
