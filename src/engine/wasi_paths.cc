#include <array>

#include "engine/host_call.h"
#include "engine/wasi_p1.h"

// path_* and sock_*: without mounts no descriptor is a folder, and none is ever a socket. Flags
// are checked first, as with Wasmtime.
namespace funcd::engine {
namespace {

constexpr std::uint32_t kLookupMask = 0x1;
constexpr std::uint32_t kOpenMask = 0xf;
constexpr std::uint32_t kFdFlagsMask = 0x1f;
constexpr std::uint32_t kFstFlagsMask = 0xf;
constexpr std::uint32_t kReceiveMask = 0x3;
constexpr std::uint32_t kShutdownMask = 0x3;

Answer no_folder(bool are_flags_valid) {
  return are_flags_valid ? Errno::badf : Errno::inval;
}

Answer no_socket(const HostCall& call, std::uint32_t descriptor, bool are_flags_valid) {
  if (!are_flags_valid) return Errno::inval;
  return call.stream(descriptor) ? Errno::notsock : Errno::badf;
}

bool fits(std::uint32_t flags, std::uint32_t mask) {
  return (flags & ~mask) == 0;
}

Answer path_by_name(HostCall& /*call*/, std::uint32_t /*folder*/, std::uint32_t /*path*/,
                    std::uint32_t /*path_size*/) {
  return Errno::badf;
}

Answer path_filestat_get(HostCall& /*call*/, std::uint32_t /*folder*/, std::uint32_t lookup,
                         std::uint32_t /*path*/, std::uint32_t /*path_size*/,
                         std::uint32_t /*result*/) {
  return no_folder(fits(lookup, kLookupMask));
}

Answer path_filestat_set_times(HostCall& /*call*/, std::uint32_t /*folder*/, std::uint32_t lookup,
                               std::uint32_t /*path*/, std::uint32_t /*path_size*/,
                               std::uint64_t /*accessed*/, std::uint64_t /*modified*/,
                               std::uint32_t flags) {
  return no_folder(fits(lookup, kLookupMask) && fits(flags, kFstFlagsMask));
}

Answer path_link(HostCall& /*call*/, std::uint32_t /*old_folder*/, std::uint32_t lookup,
                 std::uint32_t /*old_path*/, std::uint32_t /*old_size*/,
                 std::uint32_t /*new_folder*/, std::uint32_t /*new_path*/,
                 std::uint32_t /*new_size*/) {
  return no_folder(fits(lookup, kLookupMask));
}

Answer path_open(HostCall& /*call*/, std::uint32_t /*folder*/, std::uint32_t lookup,
                 std::uint32_t /*path*/, std::uint32_t /*path_size*/, std::uint32_t open,
                 std::uint64_t /*rights_base*/, std::uint64_t /*rights_inheriting*/,
                 std::uint32_t flags, std::uint32_t /*result*/) {
  return no_folder(fits(lookup, kLookupMask) && fits(open, kOpenMask) && fits(flags, kFdFlagsMask));
}

Answer path_readlink(HostCall& /*call*/, std::uint32_t /*folder*/, std::uint32_t /*path*/,
                     std::uint32_t /*path_size*/, std::uint32_t /*buffer*/,
                     std::uint32_t /*buffer_size*/, std::uint32_t /*result*/) {
  return Errno::badf;
}

Answer path_rename(HostCall& /*call*/, std::uint32_t /*old_folder*/, std::uint32_t /*old_path*/,
                   std::uint32_t /*old_size*/, std::uint32_t /*new_folder*/,
                   std::uint32_t /*new_path*/, std::uint32_t /*new_size*/) {
  return Errno::badf;
}

Answer path_symlink(HostCall& /*call*/, std::uint32_t /*old_path*/, std::uint32_t /*old_size*/,
                    std::uint32_t /*folder*/, std::uint32_t /*new_path*/,
                    std::uint32_t /*new_size*/) {
  return Errno::badf;
}

Answer sock_accept(HostCall& call, std::uint32_t descriptor, std::uint32_t flags,
                   std::uint32_t /*result*/) {
  return no_socket(call, descriptor, fits(flags, kFdFlagsMask));
}

Answer sock_recv(HostCall& call, std::uint32_t descriptor, std::uint32_t /*buffers*/,
                 std::uint32_t /*count*/, std::uint32_t flags, std::uint32_t /*size*/,
                 std::uint32_t /*result_flags*/) {
  return no_socket(call, descriptor, fits(flags, kReceiveMask));
}

Answer sock_send(HostCall& call, std::uint32_t descriptor, std::uint32_t /*buffers*/,
                 std::uint32_t /*count*/, std::uint32_t flags, std::uint32_t /*size*/) {
  return no_socket(call, descriptor, flags == 0);
}

Answer sock_shutdown(HostCall& call, std::uint32_t descriptor, std::uint32_t how) {
  return no_socket(call, descriptor, fits(how, kShutdownMask));
}

constexpr std::array kFunctions = {
    host_function<&path_by_name>("path_create_directory"),
    host_function<&path_filestat_get>("path_filestat_get"),
    host_function<&path_filestat_set_times>("path_filestat_set_times"),
    host_function<&path_link>("path_link"),
    host_function<&path_open>("path_open"),
    host_function<&path_readlink>("path_readlink"),
    host_function<&path_by_name>("path_remove_directory"),
    host_function<&path_rename>("path_rename"),
    host_function<&path_symlink>("path_symlink"),
    host_function<&path_by_name>("path_unlink_file"),
    host_function<&sock_accept>("sock_accept"),
    host_function<&sock_recv>("sock_recv"),
    host_function<&sock_send>("sock_send"),
    host_function<&sock_shutdown>("sock_shutdown"),
};

}  // namespace

std::span<const fb_host_function> wasi_path_functions() {
  return kFunctions;
}

}  // namespace funcd::engine
