# bridge/: Wasmtime behind a small C interface, built by cargo into one static library. Its target
# folder lies outside the checkout, so that a second clone builds it in seconds.
find_program(CARGO cargo REQUIRED)
set(FUNCD_BRIDGE_LIBRARY ${FUNCD_BRIDGE_DIR}/release/libfuncd_bridge.a)
file(GLOB bridge_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/bridge/src/*.rs ${PROJECT_SOURCE_DIR}/bridge/Cargo.*)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/libfuncd_bridge.a
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${FUNCD_BRIDGE_DIR}
          ${CARGO} build --release --locked --quiet
  COMMAND ${CMAKE_COMMAND} -E copy ${FUNCD_BRIDGE_LIBRARY} ${CMAKE_BINARY_DIR}/libfuncd_bridge.a
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/bridge
  DEPENDS ${bridge_sources} ${PROJECT_SOURCE_DIR}/bridge/funcd_bridge.h
  COMMENT "bridge (the first build takes some minutes)"
  USES_TERMINAL VERBATIM)
add_custom_target(bridge_build DEPENDS ${CMAKE_BINARY_DIR}/libfuncd_bridge.a)
add_library(funcd_bridge INTERFACE)
add_dependencies(funcd_bridge bridge_build)
target_include_directories(funcd_bridge INTERFACE ${PROJECT_SOURCE_DIR}/bridge)
target_link_libraries(funcd_bridge INTERFACE ${CMAKE_BINARY_DIR}/libfuncd_bridge.a pthread dl m)
