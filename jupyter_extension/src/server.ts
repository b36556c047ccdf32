/** The Jupyter server's own way to a session, for what must not wait until a cell ends. */

interface Page {
  base: string;
  token: string;
}

/** Cancels a turn, and none that came after it; false where this page is not Jupyter's or the server does not serve agents. */
export function stopAtOnce(agent: string, sessionId: string, turnId: string): Promise<boolean> {
  return post(`${session(agent, sessionId)}/cancel`, { turn_id: turnId });
}

/** Answers an approval. */
export function decideAtOnce(
  agent: string,
  sessionId: string,
  callId: string,
  decision: "approve" | "deny",
): Promise<boolean> {
  return post(`${session(agent, sessionId)}/approvals/${encodeURIComponent(callId)}`, { decision });
}

function session(agent: string, sessionId: string): string {
  return `agents/${encodeURIComponent(agent)}/sessions/${encodeURIComponent(sessionId)}`;
}

async function post(path: string, body: unknown): Promise<boolean> {
  const page = jupyterPage();
  if (!page) return false;
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  const xsrf = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  if (xsrf) headers["X-XSRFToken"] = decodeURIComponent(xsrf);
  if (page.token) headers.Authorization = `token ${page.token}`;
  try {
    const answer = await fetch(page.base + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      credentials: "same-origin",
    });
    return answer.ok;
  } catch {
    return false; // The kernel hears it anyway.
  }
}

function jupyterPage(): Page | null {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  if (!config) return null;
  try {
    const { baseUrl, token } = JSON.parse(config) as { baseUrl?: string; token?: string };
    return baseUrl ? { base: baseUrl.replace(/\/*$/, "/"), token: token ?? "" } : null;
  } catch {
    return null;
  }
}
