#include "core/t5/build.h"

#include <torch/csrc/jit/api/module.h>

#include <cctype>
#include <map>
#include <memory>
#include <string>

#include "core/t5/source.h"

namespace softprompt {
namespace {

// The tree that the dots of the names describe. A leaf holds one parameter, "weight".
struct Node {
  std::map<std::string, Node> children;
  at::Tensor weight;
};

Node treeOf(const NamedTensors& tensors) {
  Node root;
  for (const auto& [name, tensor] : tensors) {
    Node* node = &root;
    size_t start = 0;
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', start)) {
      node = &node->children[name.substr(start, dot - start)];
      start = dot + 1;
    }
    node->weight = tensor;
  }
  return root;
}

// Nodes of one structure share one class, and so one compiled code: all middle blocks of a stack are the same class.
std::string structureOf(const Node& node) {
  std::string out = node.weight.defined() ? "w" : "";
  for (const auto& [name, child] : node.children) out += name + "(" + structureOf(child) + ")";
  return out;
}

class Builder {
 public:
  explicit Builder(const T5Config& config) : config_(config) {}

  torch::jit::Module build(const Node& node, const std::string& path, const std::string& className) {
    const std::string structure = className + ":" + structureOf(node);
    const auto known = classes_.find(structure);
    torch::jit::Module module =
        known != classes_.end()
            ? torch::jit::Module(unit_, known->second)
            : torch::jit::Module(c10::QualifiedName("__torch__.softprompt." + className), unit_, /*shouldMangle=*/true);
    if (node.weight.defined()) module.register_parameter("weight", node.weight.requires_grad_(false), false);
    for (const auto& [name, child] : node.children) {
      module.register_module(name, build(child, path + name + ".", classNameOf(path, name, child)));
    }
    if (known == classes_.end()) {
      if (const std::string source = sourceOf(node, path); !source.empty()) module.define(source);
      classes_[structure] = module.type();
    }
    return module;
  }

 private:
  static std::string classNameOf(const std::string& path, const std::string& name, const Node& child) {
    if (child.weight.defined()) return "Weight";
    if (path == "encoder.block.") return "EncoderBlock";
    if (path == "decoder.block.") return "DecoderBlock";
    if (std::isdigit(static_cast<unsigned char>(name[0]))) return "Layer";
    std::string out = name;
    out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
    return out;
  }

  std::string sourceOf(const Node& node, const std::string& path) const {
    const auto hasBias = [&] {
      return node.children.at("layer")
          .children.at("0")
          .children.at("SelfAttention")
          .children.contains("relative_attention_bias");
    };
    if (path.empty()) return rootSource(config_, node.children.contains("lm_head"));
    if (path == "encoder." || path == "decoder.") return stackSource(config_);
    const bool isBlock = path.find('.', 14) == path.size() - 1;  // "encoder.block.N."
    if (path.starts_with("encoder.block.") && isBlock) return encoderBlockSource(config_, {hasBias()});
    if (path.starts_with("decoder.block.") && isBlock) return decoderBlockSource(config_, {hasBias()});
    return "";
  }

  const T5Config& config_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
  std::map<std::string, c10::ClassTypePtr> classes_;
};

}  // namespace

void useSimpleExecutor() {
  torch::jit::FusionStrategy none;
  torch::jit::setFusionStrategy(none);
}

torch::jit::Module buildModule(const T5Config& config, const NamedTensors& tensors) {
  useSimpleExecutor();
  return Builder(config).build(treeOf(tensors), "", "T5");
}

}  // namespace softprompt
