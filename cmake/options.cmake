# Compiler and linker settings shared by all rooms.
add_library(funcd_options INTERFACE)
target_compile_options(funcd_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror=return-type
  -fno-omit-frame-pointer)
target_compile_definitions(funcd_options INTERFACE
  FUNCD_VERSION="${PROJECT_VERSION}"
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_STD_INVOKE_RESULT SPDLOG_FMT_EXTERNAL
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS> $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)

find_program(CCACHE ccache)
if(CCACHE)
  # Paths count from the checkout, so that a second clone finds what the first has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  target_link_options(funcd_options INTERFACE -fuse-ld=mold)
endif()
# Most of Wasmtime's library is never called: 38 MB become 7.
target_link_options(funcd_options INTERFACE -Wl,--gc-sections)

if(FUNCD_SANITIZE)
  # Its check of types needs descriptors, and takes objects for others where there are none left.
  target_compile_options(funcd_options INTERFACE -fsanitize=${FUNCD_SANITIZE} -fno-sanitize-recover=undefined
    $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
  target_link_options(funcd_options INTERFACE -fsanitize=${FUNCD_SANITIZE})
endif()
if(FUNCD_FUZZ)
  target_compile_options(funcd_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
