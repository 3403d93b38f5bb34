# What a package contains. The parts go to libexec/vault, where vaultd looks for them.
install(TARGETS vaultd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS vault-keeper vault-front vault-exporter RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/vault)
install(TARGETS vault_base vault_crypto vault_format vault_token ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/vault)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/vault DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/packaging/vaultd.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/sysusers.conf DESTINATION lib/sysusers.d RENAME vault.conf)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/vaultd.ini DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
