include(GNUInstallDirs)

install(TARGETS quaere DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE dependencies.txt DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${QA_LLAMA}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.llama.cpp)
# The manual page comes from the command table of the program itself.
install(CODE "execute_process(COMMAND \"$<TARGET_FILE:quaere>\" man OUTPUT_FILE \"${PROJECT_BINARY_DIR}/quaere.1\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${PROJECT_BINARY_DIR}/quaere.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
