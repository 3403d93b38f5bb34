# vault_library(name SOURCES a.c b.c LINK libs): one folder, one static library.
# A folder includes as "folder/header.h" from libvault/ or vaultd/.
function(vault_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  set(present)
  foreach(source ${ARG_SOURCES})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${source})
      list(APPEND present ${source})
    else()
      message(WARNING "${name}: ${source} is not there yet")
    endif()
  endforeach()
  if(NOT present)
    set(present ${CMAKE_SOURCE_DIR}/cmake/empty.c)
  endif()
  add_library(${name} STATIC ${present})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/libvault ${CMAKE_SOURCE_DIR}/vaultd)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# vault_program(name SOURCES ... LINK ...)
function(vault_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/libvault ${CMAKE_SOURCE_DIR}/vaultd)
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# vault_unit_test(name [TSAN] SOURCES ... LINK ...): a cmocka program run by CTest,
# in the address sanitizer's build too, and with TSAN in the thread sanitizer's.
function(vault_unit_test name)
  cmake_parse_arguments(ARG "TSAN" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/libvault ${CMAKE_SOURCE_DIR}/vaultd
    ${CMAKE_SOURCE_DIR}/tests/unit)
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} PkgConfig::CMOCKA Threads::Threads)
  target_compile_definitions(test_${name} PRIVATE TEST_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
  add_test(NAME unit.${name} COMMAND test_${name})
  set(labels unit asan)
  if(ARG_TSAN)
    list(APPEND labels tsan)
    if(NOT TARGET tsan_tests)
      add_custom_target(tsan_tests)
    endif()
    add_dependencies(tsan_tests test_${name})
  endif()
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 300 LABELS "${labels}")
endfunction()

# vault_fuzzer(name SOURCES ... LINK ... [INCLUDE dirs]): a libFuzzer harness with its seeds in
# fuzz/<name>/seeds and an optional fuzz/<name>/dictionary; CTest runs it briefly.
# The same sources make a second program with the bug of fuzz/planted.h, which CTest
# demands to be found: a harness that finds nothing anywhere proves nothing.
function(vault_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;INCLUDE" ${ARGN})
  foreach(program fuzz_${name} fuzz_${name}_planted)
    add_executable(${program} ${ARG_SOURCES})
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR}/libvault ${CMAKE_SOURCE_DIR}/vaultd
      ${CMAKE_SOURCE_DIR}/fuzz ${ARG_INCLUDE})
    target_compile_options(${program} PRIVATE -fsanitize=fuzzer)
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${program} PRIVATE ${ARG_LINK})
  endforeach()
  target_compile_definitions(fuzz_${name}_planted PRIVATE VAULT_PLANTED=1)
  if(NOT TARGET fuzz_all)
    add_custom_target(fuzz_all)
  endif()
  add_dependencies(fuzz_all fuzz_${name} fuzz_${name}_planted)
  add_test(NAME fuzz.${name}
    COMMAND ${CMAKE_SOURCE_DIR}/fuzz/run-short $<TARGET_FILE:fuzz_${name}> ${name})
  add_test(NAME fuzz.${name}.planted
    COMMAND ${CMAKE_SOURCE_DIR}/fuzz/run-planted $<TARGET_FILE:fuzz_${name}_planted> ${name})
  set_tests_properties(fuzz.${name} fuzz.${name}.planted PROPERTIES TIMEOUT 180 LABELS fuzz)
endfunction()
