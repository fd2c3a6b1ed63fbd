// SPDX-License-Identifier: Apache-2.0
// What was claimed, measured, drawn and checked, as markup.
#include "runtime/report/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace heddle::report {
namespace {

constexpr std::array<std::string_view, 21> kKeywords = {
    "pattern", "claim", "weights", "for",    "and",     "or",      "not",
    "in",      "mod",   "none",    "window", "offsets", "lattice", "diagonal",
    "dense",   "floor", "ceil",    "sqrt",   "log2",    "A",       "B"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Obligations beyond this many are folded away, unless they failed.
constexpr std::size_t kMostOpenObligations = 16;

std::string_view class_of_tone(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kStrong:
      return "strong";
    case Tone::kMuted:
      return "muted";
    case Tone::kGood:
      return "good";
    case Tone::kBad:
      return "bad";
    case Tone::kCaution:
      return "caution";
  }
  return "";
}

std::string cell(std::string_view tag, std::string_view classes, const std::string& content) {
  return classes.empty() ? fmt::format("<{0}>{1}</{0}>", tag, content)
                         : fmt::format("<{0} class=\"{2}\">{1}</{0}>", tag, content, classes);
}

std::string obligation_rows(const std::vector<const ReportObligation*>& obligations) {
  std::string out =
      "<div class=\"scroll\"><table>\n<thead><tr><th>obligation</th><th>verdict</th>"
      "<th>method</th></tr></thead>\n<tbody>\n";
  for (const ReportObligation* obligation : obligations) {
    std::string method = escape_xml(obligation->method);
    if (!obligation->detail.empty()) {
      method += fmt::format("<br/><span class=\"muted\">{}</span>", escape_xml(obligation->detail));
    }
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_xml(obligation->name),
                       badge(obligation->verdict), method);
  }
  return out + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string_view class_of_verdict(std::string_view verdict) {
  const std::string_view word = verdict.substr(0, verdict.find_first_of(" :,("));
  if (word == "proved" || word == "verified") return "good";
  if (word == "checked") return "info";
  if (word == "refuted" || word == "rejected") return "bad";
  if (word == "unknown" || word == "unverified") return "caution";
  return "plain";
}

std::string badge(std::string_view verdict) {
  return fmt::format("<span class=\"badge {}\">{}</span>", class_of_verdict(verdict),
                     escape_xml(verdict));
}

std::string section(std::string_view anchor, std::string_view title, std::string_view note,
                    const std::string& body) {
  if (note.empty() && body.empty()) return "";
  std::string out = fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", anchor, escape_xml(title));
  if (!note.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", escape_xml(note));
  return out + body + "</section>\n";
}

std::string source_text(std::string_view source) {
  std::string out;
  for (std::size_t at = 0; at < source.size();) {
    std::size_t end = at + 1;
    if (source[at] == '#') {
      end = std::min(source.find('\n', at), source.size());
      out += cell("span", "comment", escape_xml(source.substr(at, end - at)));
    } else if (is_word(source[at])) {
      while (end < source.size() && is_word(source[end])) ++end;
      const std::string_view word = source.substr(at, end - at);
      const bool keyword = std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
      out += keyword ? cell("b", "", std::string(word)) : std::string(word);
    } else {
      while (end < source.size() && source[end] != '#' && !is_word(source[end])) ++end;
      out += escape_xml(source.substr(at, end - at));
    }
    at = end;
  }
  return out;
}

std::string claims(const std::vector<ReportClaim>& claims) {
  if (claims.empty()) return "";
  std::string out = "<ul class=\"claims\">\n";
  for (const ReportClaim& claim : claims) {
    out += fmt::format("<li>{}<div><code>{}</code>", badge(claim.verdict), escape_xml(claim.text));
    std::string how = escape_xml(claim.scope);
    if (!claim.rule.empty()) how += (how.empty() ? "" : " · ") + escape_xml(claim.rule);
    if (!how.empty()) out += cell("p", "muted", how);
    if (!claim.explanation.empty()) {
      out += cell("p", class_of_verdict(claim.verdict), escape_xml(claim.explanation));
    }
    if (!claim.assumes.empty()) {
      std::string list;
      for (const std::string& theorem : claim.assumes) {
        list += (list.empty() ? "" : ", ") + escape_xml(theorem);
      }
      out += cell("p", "muted", "taken on trust: " + list);
    }
    out += "</div></li>\n";
  }
  return out + "</ul>\n";
}

std::string measures(const std::vector<ReportMeasure>& measures) {
  if (measures.empty()) return "";
  std::string out = "<dl class=\"cards\">\n";
  for (const ReportMeasure& measure : measures) {
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd>", escape_xml(measure.name),
                       escape_xml(measure.value));
    if (!measure.detail.empty()) out += cell("dd", "muted", escape_xml(measure.detail));
    out += "</div>\n";
  }
  return out + "</dl>\n";
}

std::string table(const TextTable& table) {
  if (table.rows.empty()) return "";
  const auto aligned = [&](std::size_t c) {
    return std::string(table.columns[c].align == Align::kRight ? "number" : "");
  };
  std::string out = "<div class=\"scroll\"><table>\n<thead><tr>";
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    out += cell("th", aligned(c), escape_xml(table.columns[c].title));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      std::string classes = aligned(c);
      if (c < row.size()) {
        const std::string_view tone = class_of_tone(row[c].tone);
        if (!tone.empty()) classes += (classes.empty() ? "" : " ") + std::string(tone);
      }
      out += cell("td", classes, c < row.size() ? escape_xml(row[c].text) : "");
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n";
}

std::string figures(const std::vector<ReportFigure>& figures) {
  std::string out;
  for (const ReportFigure& figure : figures) {
    out += "<figure>\n" + figure.svg;
    if (!figure.caption.empty()) out += cell("figcaption", "", escape_xml(figure.caption)) + '\n';
    out += "</figure>\n";
  }
  return out;
}

std::string obligations(const std::vector<ReportObligation>& obligations) {
  std::vector<const ReportObligation*> open;
  std::vector<const ReportObligation*> folded;
  const bool few = obligations.size() <= kMostOpenObligations;
  for (const ReportObligation& obligation : obligations) {
    const std::string_view kind = class_of_verdict(obligation.verdict);
    const bool holds = kind == "good" || kind == "info";
    (few || !holds ? open : folded).push_back(&obligation);
  }
  std::string out;
  if (!open.empty()) out += obligation_rows(open);
  if (!folded.empty()) {
    out += fmt::format("<details>\n<summary>{} obligations that hold</summary>\n{}</details>\n",
                       folded.size(), obligation_rows(folded));
  }
  return out;
}

std::string failures(const std::vector<ReportFailure>& failures) {
  if (failures.empty()) return "";
  std::string out = "<ul class=\"failures\">\n";
  for (const ReportFailure& failure : failures) {
    out += fmt::format("<li><strong>{}</strong> {}", escape_xml(failure.kind),
                       escape_xml(failure.message));
    if (!failure.where.empty()) out += fmt::format(" <code>{}</code>", escape_xml(failure.where));
    out += "</li>\n";
  }
  return out + "</ul>\n";
}

std::string certificate(const ReportCertificate& certificate) {
  std::string out;
  if (!certificate.summary.empty()) out += cell("p", "", escape_xml(certificate.summary)) + '\n';
  out += fmt::format("<p class=\"small\"><code>{}</code>", escape_xml(certificate.file));
  if (!certificate.sha256.empty()) {
    out += fmt::format(", SHA-256 <code>{}</code>", escape_xml(certificate.sha256));
  }
  out += "</p>\n";
  if (!certificate.how_to_check.empty()) {
    out += fmt::format("<p>To check it again without the prover:</p>\n<pre>{}</pre>\n",
                       escape_xml(certificate.how_to_check));
  }
  return out;
}

std::string facts(const std::vector<ReportFact>& facts) {
  if (facts.empty()) return "";
  std::string out = "<dl class=\"facts\">\n";
  for (const ReportFact& fact : facts) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_xml(fact.name), escape_xml(fact.value));
  }
  return out + "</dl>\n";
}

}  // namespace heddle::report
