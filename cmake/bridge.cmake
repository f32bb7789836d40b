# bridge/: Wasmtime behind a small C interface, built by cargo into one static library. What cargo
# builds on the way lies outside the checkout, so that a second clone compiles the bridge only; the
# library itself lands in the build folder, so that two checkouts never take each other's.
set(bridge_cache "$ENV{XDG_CACHE_HOME}")
if(NOT bridge_cache)
  set(bridge_cache "$ENV{HOME}/.cache")
endif()
set(FUNCD_BRIDGE_DIR "${bridge_cache}/funcd/bridge" CACHE PATH "where cargo keeps what it has built")

find_program(CARGO cargo REQUIRED)
set(bridge_command build --release --locked)
if(FUNCD_FUZZ)
  # Shows libFuzzer which of the bridge's own code an input reaches.
  set(bridge_command rustc --release --locked --
      -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3
      -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table)
endif()
set(FUNCD_BRIDGE_LIBRARY ${CMAKE_BINARY_DIR}/bridge/release/libfuncd_bridge.a)
file(GLOB bridge_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/bridge/src/*.rs ${PROJECT_SOURCE_DIR}/bridge/src/*/*.rs
  ${PROJECT_SOURCE_DIR}/bridge/Cargo.*)
add_custom_command(
  OUTPUT ${FUNCD_BRIDGE_LIBRARY}
  COMMAND ${CMAKE_COMMAND} -E env
          CARGO_BUILD_BUILD_DIR=${FUNCD_BRIDGE_DIR} CARGO_TARGET_DIR=${CMAKE_BINARY_DIR}/bridge
          FUNCD_CHECKOUT=${PROJECT_SOURCE_DIR}
          ${CARGO} ${bridge_command}
  COMMAND ${CMAKE_COMMAND} -E touch_nocreate ${FUNCD_BRIDGE_LIBRARY}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/bridge
  DEPENDS ${bridge_sources}
  COMMENT "bridge (Wasmtime; the first build takes some minutes)"
  USES_TERMINAL VERBATIM)
set(bridge_linked ${FUNCD_BRIDGE_LIBRARY})
if(FUNCD_SANITIZE STREQUAL "thread")
  # Of a shared library the thread sanitizer can be told that it does not see how that synchronizes
  # (tools/tsan.supp). What it calls ioctl() by is in the program.
  set(bridge_linked ${CMAKE_BINARY_DIR}/bridge/libfuncd_bridge.so)
  set(bridge_exports ${CMAKE_BINARY_DIR}/bridge/exports)
  file(CONFIGURE OUTPUT ${bridge_exports} CONTENT "{ global: fb_*; local: *; };\n")
  add_custom_command(
    OUTPUT ${bridge_linked}
    COMMAND ${CMAKE_CXX_COMPILER} -shared -o ${bridge_linked}
            -Wl,--whole-archive ${FUNCD_BRIDGE_LIBRARY} -Wl,--no-whole-archive
            -Wl,--gc-sections -Wl,--wrap=ioctl -Wl,--version-script=${bridge_exports} -lpthread -ldl -lm
    DEPENDS ${FUNCD_BRIDGE_LIBRARY} VERBATIM)
endif()
add_custom_target(bridge_build DEPENDS ${bridge_linked})
add_library(funcd_bridge INTERFACE)
add_dependencies(funcd_bridge bridge_build)
target_include_directories(funcd_bridge INTERFACE ${PROJECT_SOURCE_DIR}/bridge)
target_link_libraries(funcd_bridge INTERFACE ${bridge_linked} Threads::Threads ${CMAKE_DL_LIBS} m)
# Brings ioctl() to src/engine/pagemap_scan.cc.
target_link_options(funcd_bridge INTERFACE LINKER:--wrap=ioctl)
