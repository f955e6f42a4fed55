"""doc/configuration.md, generated from the settings."""

from slukh.settings.config import GROUPS


def reference() -> str:
    """doc/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "Every setting is an environment variable; `slukh doctor` checks the ones in force.",
    ]
    for group in GROUPS:
        title = (group.__doc__ or "").splitlines()[0]
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for name, field in group.model_fields.items():
            default = {
                "slukh_data_dir": "user's data folder",
                "slukh_weights_dir": "user's cache folder",
                "slukh_phrase_cache_dir": "user's cache folder",
            }.get(name, _shown(field.default))
            lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if value is None or value in ("", (), {}):
        return "unset"
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, dict):
        value = ",".join(f"{key}={own}" for key, own in value.items())
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
