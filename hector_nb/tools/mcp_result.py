"""What a tool of an MCP server answered, as text for a model."""

import json

from mcp import types as mcp


def result_text(result: mcp.CallToolResult) -> str:
    """Its texts; a note for each thing that is no text; where there is neither, the structured answer as JSON."""
    parts = [_block_text(block) for block in result.content]
    if parts:
        return "\n".join(parts)
    if result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "Done."


def _block_text(block: mcp.ContentBlock) -> str:
    match block:
        case mcp.TextContent():
            return block.text
        case mcp.ImageContent():
            return _note("image", block.mime_type, block.data)
        case mcp.AudioContent():
            return _note("sound", block.mime_type, block.data)
        case mcp.ResourceLink():
            return f"[{block.name}: {block.uri}]"
    resource = block.resource
    if isinstance(resource, mcp.TextResourceContents):
        return resource.text
    return _note(str(resource.uri), resource.mime_type or "binary", resource.blob)


def _note(what: str, mime_type: str, base64: str) -> str:
    return f"[{what}, {mime_type}, {len(base64.rstrip('=')) * 3 // 4:,} bytes: not shown]"
