#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace funcd {

// For tests: a folder of its own, gone with it.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern =
        (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "funcd-XXXXXX")
            .string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  // Writes a file in place, and the folders above it.
  void write(std::string_view name, std::string_view text) const {
    const std::filesystem::path file = *this / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  void make_folder(std::string_view name) const {
    std::filesystem::create_directories(*this / name);
  }
  void link(std::string_view name, std::string_view target) const {
    std::filesystem::create_symlink(target, *this / name);
  }
  void remove(std::string_view name) const { std::filesystem::remove_all(*this / name); }
  void rename(std::string_view from, std::string_view to) const {
    std::filesystem::rename(*this / from, *this / to);
  }

 private:
  std::string path_;
};

}  // namespace funcd
