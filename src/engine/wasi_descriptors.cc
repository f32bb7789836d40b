#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/host_call.h"
#include "engine/wasi_p1.h"

// fd_*: the three standard streams are all there is. What needs a file is `badf`, what needs to
// seek is `spipe`, as with Wasmtime.
namespace funcd::engine {
namespace {

// As writev(2): more buffers in one call are an error.
constexpr std::uint32_t kBuffersMax = 1024;
constexpr std::uint32_t kFdFlagsMask = 0x1f;
constexpr std::uint32_t kFstFlagsMask = 0xf;
constexpr std::uint32_t kAdviceEnd = 6;
constexpr std::uint32_t kWhenceEnd = 3;

enum class FileType : std::uint8_t { unknown = 0, character_device = 2 };

constexpr std::uint64_t kRightRead = 1 << 1;
constexpr std::uint64_t kRightWrite = 1 << 6;

// witx `fdstat`.
struct Fdstat {
  FileType filetype;
  std::uint8_t reserved = 0;
  std::uint16_t flags = 0;
  std::uint32_t padding = 0;
  std::uint64_t rights_base;
  std::uint64_t rights_inheriting;
};
static_assert(sizeof(Fdstat) == 24);

// witx `filestat`.
struct Filestat {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  FileType filetype;
  std::array<std::uint8_t, 7> padding{};
  std::uint64_t links = 0;
  std::uint64_t size = 0;
  std::array<std::uint64_t, 3> times{};
};
static_assert(sizeof(Filestat) == 64);

// witx `iovec` and `ciovec`.
struct Buffer {
  std::uint32_t offset;
  std::uint32_t size;
};

FileType type_of(const HostCall& call, int stream) {
  return call.guest.stdio.is_terminal(stream) ? FileType::character_device : FileType::unknown;
}

// Of functions that need a file.
Answer needs_file(HostCall& /*call*/, std::uint32_t /*descriptor*/) {
  return Errno::badf;
}

Answer fd_advise(HostCall& /*call*/, std::uint32_t /*descriptor*/, std::uint64_t /*offset*/,
                 std::uint64_t /*size*/, std::uint32_t advice) {
  return advice < kAdviceEnd ? Errno::badf : Errno::inval;
}

Answer fd_allocate(HostCall& /*call*/, std::uint32_t /*descriptor*/, std::uint64_t /*offset*/,
                   std::uint64_t /*size*/) {
  return Errno::badf;
}

Answer fd_close(HostCall& call, std::uint32_t descriptor) {
  if (!call.stream(descriptor)) return Errno::badf;
  call.guest.descriptors[descriptor] = GuestState::kClosed;
  return Errno::success;
}

Answer fd_fdstat_get(HostCall& call, std::uint32_t descriptor, std::uint32_t result) {
  const auto stream = call.stream(descriptor);
  if (!stream) return Errno::badf;
  const std::uint64_t right = *stream == 0 ? kRightRead : kRightWrite;
  return call.give(
      result,
      Fdstat{.filetype = type_of(call, *stream), .rights_base = right, .rights_inheriting = right});
}

Answer fd_fdstat_set_flags(HostCall& /*call*/, std::uint32_t /*descriptor*/, std::uint32_t flags) {
  return (flags & ~kFdFlagsMask) == 0 ? Errno::badf : Errno::inval;
}

Answer fd_fdstat_set_rights(HostCall& /*call*/, std::uint32_t /*descriptor*/,
                            std::uint64_t /*base*/, std::uint64_t /*inheriting*/) {
  return Errno::badf;
}

Answer fd_filestat_get(HostCall& call, std::uint32_t descriptor, std::uint32_t result) {
  const auto stream = call.stream(descriptor);
  if (!stream) return Errno::badf;
  return call.give(result, Filestat{.filetype = type_of(call, *stream)});
}

Answer fd_filestat_set_size(HostCall& /*call*/, std::uint32_t /*descriptor*/,
                            std::uint64_t /*size*/) {
  return Errno::badf;
}

Answer fd_filestat_set_times(HostCall& /*call*/, std::uint32_t /*descriptor*/,
                             std::uint64_t /*accessed*/, std::uint64_t /*modified*/,
                             std::uint32_t flags) {
  return (flags & ~kFstFlagsMask) == 0 ? Errno::badf : Errno::inval;
}

Answer fd_prestat_get(HostCall& /*call*/, std::uint32_t /*descriptor*/, std::uint32_t /*result*/) {
  return Errno::badf;
}

Answer fd_prestat_dir_name(HostCall& call, std::uint32_t descriptor, std::uint32_t /*path*/,
                           std::uint32_t /*size*/) {
  return call.stream(descriptor) ? Errno::notdir : Errno::badf;
}

// Calls `use(span)` for each buffer until it says to stop; nothing when a buffer is outside.
template <class Use>
std::optional<Answer> for_each_buffer(HostCall& call, std::uint32_t buffers, std::uint32_t count,
                                      Use use) {
  if (count > kBuffersMax) return Answer(Errno::inval);
  if (!call.memory.bytes(buffers, count * sizeof(Buffer))) return call.bad_pointer();
  for (std::uint32_t index = 0; index < count; ++index) {
    const auto buffer =
        call.memory.load<Buffer>(buffers + index * static_cast<std::uint32_t>(sizeof(Buffer)));
    if (!buffer) return call.bad_pointer();
    const auto bytes = call.memory.bytes(buffer->offset, buffer->size);
    if (!bytes) return call.bad_pointer();
    if (bytes->empty()) continue;
    if (!use(*bytes)) break;
  }
  return std::nullopt;
}

Errno errno_from(std::int64_t negative) {
  return negative == -EPIPE ? Errno::pipe : Errno::io;
}

Answer fd_read(HostCall& call, std::uint32_t descriptor, std::uint32_t buffers, std::uint32_t count,
               std::uint32_t result) {
  if (call.stream(descriptor) != 0) return Errno::badf;
  std::uint32_t total = 0;
  std::int64_t error = 0;
  const auto failed = for_each_buffer(call, buffers, count, [&](std::span<std::uint8_t> bytes) {
    const std::int64_t got = call.guest.stdio.read(bytes);
    if (got < 0) error = got;
    if (got > 0) total += static_cast<std::uint32_t>(got);
    // A short read ends the call: more may block.
    return got == static_cast<std::int64_t>(bytes.size());
  });
  if (failed) return *failed;
  if (error == Stdio::kWait && total == 0) return Answer::wait();
  if (error < 0 && total == 0) return errno_from(error);
  return call.give(result, total);
}

Answer fd_write(HostCall& call, std::uint32_t descriptor, std::uint32_t buffers,
                std::uint32_t count, std::uint32_t result) {
  const auto stream = call.stream(descriptor);
  if (!stream || *stream == 0) return Errno::badf;
  std::uint32_t total = 0;
  std::int64_t error = 0;
  const auto failed = for_each_buffer(call, buffers, count, [&](std::span<std::uint8_t> bytes) {
    while (!bytes.empty() && error == 0) {
      const auto piece = bytes.first(std::min(bytes.size(), Stdio::kWriteBytesMax));
      const std::int64_t taken = call.guest.stdio.write(*stream, piece);
      if (taken < 0) error = taken;
      if (taken <= 0) return false;
      total += static_cast<std::uint32_t>(taken);
      bytes = bytes.subspan(static_cast<std::size_t>(taken));
    }
    return error == 0;
  });
  if (failed) return *failed;
  if (error == Stdio::kFull) {
    call.guest.stop = GuestState::Stop{EndKind::output_limit, 0, "wrote more than its limit"};
    return Answer::stop();
  }
  if (error == Stdio::kWait && total == 0) return Answer::wait();
  if (error < 0 && total == 0) return errno_from(error);
  return call.give(result, total);
}

Answer fd_pread(HostCall& call, std::uint32_t descriptor, std::uint32_t /*buffers*/,
                std::uint32_t /*count*/, std::uint64_t /*offset*/, std::uint32_t /*result*/) {
  return call.stream(descriptor) == 0 ? Errno::spipe : Errno::badf;
}

Answer fd_pwrite(HostCall& call, std::uint32_t descriptor, std::uint32_t /*buffers*/,
                 std::uint32_t /*count*/, std::uint64_t /*offset*/, std::uint32_t /*result*/) {
  return call.stream(descriptor).value_or(0) > 0 ? Errno::spipe : Errno::badf;
}

Answer fd_readdir(HostCall& /*call*/, std::uint32_t /*descriptor*/, std::uint32_t /*buffer*/,
                  std::uint32_t /*size*/, std::uint64_t /*cookie*/, std::uint32_t /*result*/) {
  return Errno::badf;
}

Answer fd_renumber(HostCall& call, std::uint32_t from, std::uint32_t to) {
  if (!call.stream(from) || !call.stream(to)) return Errno::badf;
  if (from == to) return Errno::success;
  call.guest.descriptors[to] = call.guest.descriptors[from];
  call.guest.descriptors[from] = GuestState::kClosed;
  return Errno::success;
}

Answer fd_seek(HostCall& call, std::uint32_t descriptor, std::uint64_t /*offset*/,
               std::uint32_t whence, std::uint32_t /*result*/) {
  if (whence >= kWhenceEnd) return Errno::inval;
  return call.stream(descriptor) ? Errno::spipe : Errno::badf;
}

Answer fd_tell(HostCall& call, std::uint32_t descriptor, std::uint32_t /*result*/) {
  return call.stream(descriptor) ? Errno::spipe : Errno::badf;
}

constexpr std::array kFunctions = {
    host_function<&fd_advise>("fd_advise"),
    host_function<&fd_allocate>("fd_allocate"),
    host_function<&fd_close>("fd_close"),
    host_function<&needs_file>("fd_datasync"),
    host_function<&fd_fdstat_get>("fd_fdstat_get"),
    host_function<&fd_fdstat_set_flags>("fd_fdstat_set_flags"),
    host_function<&fd_fdstat_set_rights>("fd_fdstat_set_rights"),
    host_function<&fd_filestat_get>("fd_filestat_get"),
    host_function<&fd_filestat_set_size>("fd_filestat_set_size"),
    host_function<&fd_filestat_set_times>("fd_filestat_set_times"),
    host_function<&fd_pread>("fd_pread"),
    host_function<&fd_prestat_get>("fd_prestat_get"),
    host_function<&fd_prestat_dir_name>("fd_prestat_dir_name"),
    host_function<&fd_pwrite>("fd_pwrite"),
    waiting_host_function<&fd_read>("fd_read"),
    host_function<&fd_readdir>("fd_readdir"),
    host_function<&fd_renumber>("fd_renumber"),
    host_function<&fd_seek>("fd_seek"),
    host_function<&needs_file>("fd_sync"),
    host_function<&fd_tell>("fd_tell"),
    waiting_host_function<&fd_write>("fd_write"),
};

}  // namespace

std::span<const fb_host_function> wasi_descriptor_functions() {
  return kFunctions;
}

}  // namespace funcd::engine
