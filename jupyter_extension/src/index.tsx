/** What anywidget loads: one store for each model, one drawing for each view. */
export default {};
