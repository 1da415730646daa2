# llama.cpp: built outside the checkout by tools/build-llama (which says why), linked statically as it comes. QA_LLAMA is its folder, with lib/ and
# include/; tools/build passes it, a bare `cmake` asks for it here. A copy of one's own is used only when named: -DQA_LLAMA=<folder>.
# Sanitizer builds link the same release libraries: their subject is our code.

if(NOT QA_LLAMA)
  message(STATUS "tools/build-llama prepares llama.cpp")
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/build-llama OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "tools/build-llama failed; what it said stands above")
  endif()
  set(QA_LLAMA ${folder} CACHE PATH "llama.cpp as tools/build-llama lays it out" FORCE)
endif()

set(QA_LLAMA_LIBRARIES)
foreach(name IN ITEMS llama ggml ggml-cpu ggml-base) # each needs those behind it
  set(file ${QA_LLAMA}/lib/lib${name}.a)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "QA_LLAMA=${QA_LLAMA} holds no lib/lib${name}.a; leave QA_LLAMA out, or run tools/build-llama and pass what it prints")
  endif()
  list(APPEND QA_LLAMA_LIBRARIES ${file})
endforeach()

# Its folder would stand in the debug information.
list(APPEND QA_FLAGS -ffile-prefix-map=${QA_LLAMA}=llama.cpp)

# The C++ run-time library is linked as a shared one: libarchive brings it along in any case, and two copies in a process are one too many.
add_library(qa_llama INTERFACE)
target_include_directories(qa_llama SYSTEM INTERFACE ${QA_LLAMA}/include)
target_link_libraries(qa_llama INTERFACE ${QA_LLAMA_LIBRARIES} stdc++ Threads::Threads ${CMAKE_DL_LIBS} m)
