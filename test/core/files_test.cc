// What the operating system does for us: the same on each (scripts/cross.mjs runs this file on others than the host).
#include <filesystem>

#include "check.h"
#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/file_lock.h"
#include "core/checkpoint/read_file.h"
#include "temp_folder.h"

using softprompt::AtomicFile;
using softprompt::FileLock;
using softprompt::ReadFile;
namespace platform = softprompt::platform;

namespace {

// A name that no code page of Windows has in full.
const std::string kName = "\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x98\x80.bin";

void save(const std::string& path, const std::string& bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

std::string messageOf(const std::function<void()>& doing) {
  try {
    doing();
  } catch (const softprompt::Error& error) {
    return error.code() + " " + error.what();
  }
  return "nothing";
}

}  // namespace

TEST(filesAreReadAtAnyPlace) {
  const TempFolder folder;
  const ReadFile file(folder.write("a", "0123456789"));
  CHECK_EQ(file.size(), 10u);
  CHECK_EQ(file.text(7, 3), "789");
  CHECK_EQ(file.text(0, 2), "01");
  CHECK_EQ(file.text(10, 0), "");
  CHECK_THROWS(file.text(8, 3), "FILE_READ");
  CHECK_THROWS(file.text(11, 0), "FILE_READ");
}

TEST(filesThatAreNone) {
  const TempFolder folder;
  CHECK_THROWS(ReadFile(folder.file("none")), "FILE_NOT_FOUND");
  CHECK_THROWS(ReadFile(folder.file("none/none")), "FILE_NOT_FOUND");
  CHECK_THROWS(ReadFile(folder.path()), "FILE_READ");
  CHECK_THROWS(AtomicFile(folder.path()), "FILE_WRITE");
  CHECK_THROWS(AtomicFile(folder.file("none/a")), "FILE_WRITE");
  CHECK(!softprompt::isFile(folder.path()) && softprompt::isFolder(folder.path()));
  CHECK(!softprompt::isFile(folder.file("none")) && !softprompt::isFolder(folder.file("none")));
  // The system's own words are in the message, whatever they are.
  CHECK(messageOf([&] { ReadFile(folder.file("none")); }).size() >
        ("FILE_NOT_FOUND " + folder.file("none")).size() + 20);
}

TEST(filesHaveNamesInUtf8) {
  const TempFolder folder;
  save(folder.file(kName), "text");
  CHECK_EQ(ReadFile(folder.file(kName)).text(0, 4), "text");
  CHECK(softprompt::isFile(folder.file(kName)));
  CHECK_EQ(platform::toUtf8(std::filesystem::directory_iterator(folder.path())->path().filename()), kName);
  const FileLock lock(folder.file(kName));
  CHECK_THROWS(FileLock(folder.file(kName)), "CHECKPOINT_LOCKED");
}

TEST(filesAppearWholeOrNotAtAll) {
  const TempFolder folder;
  save(folder.file("a"), "first");
  {
    AtomicFile unfinished(folder.file("a"));
    unfinished.write("second", 6);
    CHECK_EQ(folder.count(), 2u);
    CHECK_EQ(bytesOf(folder.file("a")), "first");
  }
  CHECK_EQ(folder.count(), 1u);
  save(folder.file("a"), "second");
  CHECK_EQ(bytesOf(folder.file("a")), "second");
  CHECK_EQ(folder.count(), 1u);
}

TEST(filesThatCannotBePutInPlaceLeaveNothing) {
  const TempFolder folder;
  {
    AtomicFile file(folder.file("a"));
    file.write("text", 4);
    std::filesystem::create_directory(folder.file("a"));  // since it was begun
    CHECK_THROWS(file.commit(), "FILE_WRITE");
  }
  CHECK_EQ(folder.count(), 1u);
}

TEST(filesAreLockedForOneAtATime) {
  const TempFolder folder;
  const std::string path = folder.file("run");
  folder.write("run.lock", "123456789\n");  // of a process that was killed
  folder.write("run.tmp-7-0", "what it wrote");
  folder.write("runs", "another's");
  {
    const FileLock lock(path);
    CHECK(!softprompt::isFile(folder.file("run.tmp-7-0")) && softprompt::isFile(folder.file("runs")));
    const std::string message = messageOf([&] { FileLock second(path); });
    CHECK(message.starts_with("CHECKPOINT_LOCKED"));
    CHECK(message.find("(process " + std::to_string(platform::processId()) + ")") != std::string::npos);
    const FileLock other(folder.file("other"));
  }
  CHECK_EQ(folder.count(), 1u);
  const FileLock again(path);
}
