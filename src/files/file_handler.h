#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/loop.h"
#include "files/file_response.h"
#include "files/job_queue.h"
#include "http/exchange.h"

namespace funcd::files {

struct FileHandlerOptions {
  std::string source;  // the folder that has the public one
  bool has_access_log = false;
  // Whether a file may answer a request for that path, rather than a function that is there for it.
  std::function<bool(const http::RequestHead& head)> may_answer;
};

// Answers GET and HEAD from the public folder, and leaves all else to the next handler. What the
// kernel has in memory is sent by the loop; for a disk a job waits. For one loop's thread.
class FileHandler final : public http::Handler {
 public:
  FileHandler(Loop& loop, JobQueue& jobs, http::Handler& next, FileHandlerOptions options);
  ~FileHandler();
  FileHandler(const FileHandler&) = delete;
  FileHandler& operator=(const FileHandler&) = delete;

  void on_request(http::Exchange& exchange) override;
  void on_refused(int status) override { next_.on_refused(status); }

 private:
  class Transfer;

  Transfer& take_over(http::Exchange& exchange);
  // Hands a found file, or that there is none, to who answers.
  void answer(http::Exchange& exchange, Found found, Transfer* transfer);
  void send(http::Exchange& exchange, OpenFile file, Transfer* transfer);
  void respond(http::Exchange& exchange, http::Response response, Transfer* transfer);
  void log(const http::RequestHead& head, int status, std::uint64_t bytes) const;

  Loop& loop_;
  JobQueue& jobs_;
  http::Handler& next_;
  FileHandlerOptions options_;
  // Exchanges that wait for a disk or for their client.
  std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
  std::uint64_t next_key_ = 0;
};

}  // namespace funcd::files
