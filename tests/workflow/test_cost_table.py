"""cost.md says what each rule needed and what it asks for: the first is never more than the second."""

from dataclasses import replace

from support import cost_table
from support.rule_files import rule_sources

# In no run of `make smoke-paper`: the demo's sources, comparisons, a second modality, rare cases, exports.
NOT_RUN = {
    "fetch_package", "write_phantom", "time_training", "make_ablation", "draw_ablation", "draw_sweep",
    "translate_masks", "translate_images", "measure_translation", "draw_translation", "import_model",
    "generate_rare", "train_augmented", "measure_rare", "export_model", "export_program", "export_layout",
    "gather_images", "write_run",
}  # fmt: skip


def test_the_table_has_a_row_for_each_rule_that_asks_for_memory() -> None:
    asking = {
        name for name, directives in rule_sources().items() if "mem_mb" in directives.get("resources", "")
    }
    assert asking - cost_table.read_rows().keys() == NOT_RUN
    assert cost_table.read_rows().keys() <= asking


def test_no_rule_asks_for_less_than_it_needed_or_was_counted_to_need() -> None:
    assert cost_table.shortfalls(cost_table.read_rows()) == []


def test_a_rule_that_asks_for_too_little_is_found() -> None:
    rows = cost_table.read_rows()
    for rule, needed in (
        ("train_controlnet", {"peak_gb": 49.0}),
        ("train_latent_diffusion", {"full_gb": 49.0}),
        ("train_spade", {"gpu_gb": 50.0}),
    ):
        (sentence,) = cost_table.shortfalls({rule: replace(rows[rule], **needed)})
        assert sentence.startswith(f"{rule} needs ")
    (sentence,) = cost_table.shortfalls({"list_split": replace(rows["list_split"], mem_mb=400)})
    assert sentence.startswith("list_split asks for 500 MB")


def test_the_table_stands_as_its_tool_writes_it() -> None:
    page = cost_table.PAGE.read_text()
    assert all(row.line() in page for row in cost_table.read_rows().values())
